#include <gtest/gtest.h>
#include <attn/plot/curves.hpp>

#include <cmath>
#include <limits>

#include "layout_checks.hpp"

namespace {

using namespace attn::plot;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

const std::vector<double> lengths{128, 256, 512, 1024, 2048, 4096};

Curves timing() {
  std::vector<double> square, linear;
  for (const double n : lengths) {
    square.push_back(1e-6 * n * n);
    linear.push_back(1e-3 * n);
  }
  return {.title = "time against length",
          .x = {.title = "length", .scale = Scale::log2},
          .y = {.title = "ms", .scale = Scale::log10},
          .curves = {{.name = "reference", .x = lengths, .y = square, .color = rgb(0xff0000)},
                     {.name = "tiled", .x = lengths, .y = linear, .color = rgb(0x0000ff)}}};
}

TEST(Curves, ALinePassesThroughItsPoints) {
  const Curves plot{.x = {.range = Range{0, 10}},
                    .y = {.range = Range{-1, 1}},
                    .curves = {{.x = {0, 5, 10}, .y = {-0.5, 0.5, -0.5}, .color = rgb(0xff0000)}}};
  const Figure figure{.panels = {plot}, .font = Font::built_in()};
  const Rect frame = figure.layout().panels[0].frame;
  const Image image = figure.draw();
  for (int i = 0; i <= 100; ++i) {
    const double x = i / 10.0, y = 0.5 - std::abs(x - 5) / 5;
    const int px = frame.x + static_cast<int>(x / 10 * (frame.width - 1)),
              py = frame.y + static_cast<int>((1 - y) / 2 * (frame.height - 1));
    bool red = false;
    for (int d = -1; d <= 1; ++d)
      red = red || (image.at(px, py + d).red > 200 && image.at(px, py + d).green < 60);
    EXPECT_TRUE(red) << x;
    EXPECT_NE(image.at(px, py + 40), rgb(0xff0000));
  }
}

TEST(Curves, APowerIsStraightOnLogarithmicAxes) {
  const Curves plot = timing();
  const Figure figure{.panels = {plot}, .font = Font::built_in()};
  const Rect frame = figure.layout().panels[0].frame;
  const Image image = figure.draw();
  const auto height = [&](int x, Color color) {
    double sum = 0, count = 0;
    for (int y = frame.y; y < frame.bottom(); ++y) {
      if (image.at(x, y) != color) continue;
      sum += y;
      ++count;
    }
    return sum / count;
  };
  const int a = frame.x + frame.width / 5, b = frame.x + frame.width / 2, c = b + b - a;
  EXPECT_NEAR(height(b, rgb(0xff0000)), (height(a, rgb(0xff0000)) + height(c, rgb(0xff0000))) / 2,
              1.5);
  EXPECT_NEAR((height(a, rgb(0xff0000)) - height(c, rgb(0xff0000))) /
                  (height(a, rgb(0x0000ff)) - height(c, rgb(0x0000ff))),
              2, 0.05);
}

TEST(Curves, LegendAndAxesAreNamed) {
  const Layout layout = Figure{.panels = {timing()}}.layout();
  attn_test::expect_tidy(layout, "timing");
  std::vector<std::string> texts;
  for (const Text& text : layout.panels[0].texts) texts.push_back(text.text);
  for (const char* text :
       {"reference", "tiled", "time against length", "length", "ms", "128", "4096", "0.1", "1"})
    EXPECT_NE(std::find(texts.begin(), texts.end(), text), texts.end()) << text;
}

TEST(Curves, MissingAndExtremeValuesAreHarmless) {
  for (const Scale scale : {Scale::linear, Scale::log10, Scale::log2}) {
    const Figure figure{
        .panels = {Curves{.x = {.scale = scale},
                          .y = {.scale = scale},
                          .curves = {{.x = {1, 2, nan, 4, 5, -3},
                                      .y = {3, infinity, 2, -infinity, 0, 1}}}},
                   Curves{.x = {.scale = scale}},
                   Curves{.y = {.scale = scale}, .curves = {{.x = {7}, .y = {7}, .markers = true}}},
                   Curves{.x = {.scale = scale},
                          .y = {.scale = scale},
                          .curves = {{.x = {1e-300, 1e300}, .y = {1.7e308, 5e-324}}}},
                   Curves{.x = {.scale = scale, .range = Range{1, 2}},
                          .curves = {{.x = {-1e300, 1e300, 1.5, 1e200}, .y = {1, 2, 3, -1e300}}}}}};
    EXPECT_GT(figure.draw().width(), 100);
    attn_test::expect_tidy(figure.layout(), "odd");
  }
}

TEST(Curves, AMissingPointInterruptsTheLine) {
  const Curves plot{
      .x = {.range = Range{0, 4}},
      .y = {.range = Range{-1, 1}},
      .curves = {{.x = {0, 1, 2, 3, 4}, .y = {0, 0, nan, 0, 0}, .color = rgb(0xff0000)}}};
  const Figure figure{.panels = {plot}, .font = Font::built_in()};
  const Rect frame = figure.layout().panels[0].frame;
  const Image image = figure.draw();
  const auto drawn = [&](double x) {
    return image
               .at(frame.x + static_cast<int>(x / 4 * (frame.width - 1)),
                   frame.y + frame.height / 2)
               .green < 100;
  };
  EXPECT_TRUE(drawn(0.5) && drawn(3.5));
  EXPECT_FALSE(drawn(1.5) || drawn(2) || drawn(2.5));
}

TEST(Curves, Errors) {
  const auto lay = [](const Curves& plot) { return detail::lay_out(plot, Font::built_in(), 1); };
  EXPECT_THROW(lay({.curves = {{.x = {1, 2}, .y = {1}}}}), attn::ShapeError);
  EXPECT_THROW(lay({.x = {.range = Range{2, 1}}}), attn::OptionError);
  EXPECT_THROW(lay({.y = {.scale = Scale::log10, .range = Range{0, 1}}}), attn::OptionError);
  EXPECT_THROW(lay({.y = {.range = Range{nan, 1}}}), attn::OptionError);
}

}  // namespace
