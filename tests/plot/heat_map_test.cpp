#include <gtest/gtest.h>
#include <attn/plot/heat_map.hpp>

#include <cfloat>
#include <cmath>
#include <limits>

#include "layout_checks.hpp"

namespace {

using attn::Index;
using namespace attn::plot;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<std::string> words(Index n, const std::string& stem = "word") {
  std::vector<std::string> all;
  for (Index i = 0; i < n; ++i) all.push_back(stem + std::to_string(i));
  return all;
}

std::string what(const HeatMap& map) {
  try {
    detail::lay_out(map, Font::built_in(), 1);
  } catch (const attn::ShapeError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// The pixel in the middle of each cell has the color of its value.
void expect_cells(const HeatMap& map, double scale = 1) {
  const Figure figure{.panels = {map}, .scale = scale, .font = Font::built_in()};
  const Image image = figure.draw();
  const Rect frame = figure.layout().panels[0].frame;
  const Range range = detail::color_range(map);
  for (Index i = 0; i < map.values.rows(); ++i)
    for (Index j = 0; j < map.values.cols(); ++j) {
      const auto x = static_cast<int>(frame.x +
                                      (2 * j + 1) * frame.width / (2 * map.values.cols())),
                 y = static_cast<int>(frame.y +
                                      (2 * i + 1) * frame.height / (2 * map.values.rows()));
      ASSERT_EQ(image.at(x, y), detail::color_at(map.color_map, (map.values(i, j) - range.low) /
                                                                    (range.high - range.low)))
          << i << " " << j;
    }
}

TEST(HeatMap, CellsHaveTheColorsOfTheirValues) {
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {1, 60}, {60, 1}, {7, 5}, {60, 60}, {14, 64}, {3, 128}, {100, 3}}) {
    const Eigen::MatrixXd values = Eigen::MatrixXd::Random(rows, columns);
    expect_cells({.values = values});
    expect_cells({.values = values, .row_labels = words(rows), .color_map = ColorMap::coolwarm}, 2);
    expect_cells({.values = values, .row_labels = words(rows), .column_labels = words(columns)},
                 1.37);
  }
}

TEST(HeatMap, TakesAnyMatrix) {
  const Eigen::MatrixXf m = Eigen::MatrixXf::Random(4, 3);
  const attn::Tensor<float, 2> tensor = attn::to_tensor(m);
  for (const Values& values : {Values(m), Values(m.transpose().transpose()), Values(tensor),
                               Values(tensor.view()), Values(attn::view(tensor.data(), {4, 3}))})
    EXPECT_TRUE((values == m.cast<double>().array()).all());
  EXPECT_EQ(Values(tensor.slice(1, 1, 3)).cols(), 2);
}

TEST(HeatMap, NanIsGrayAndAnInfinityIsTheEnd) {
  Eigen::Matrix2d values;
  values << nan, infinity, -infinity, 0.5;
  expect_cells({.values = values, .range = Range{0, 1}});
  expect_cells({.values = values});
  EXPECT_EQ(detail::color_range({.values = values}), (Range{0, 0.5}));
}

TEST(HeatMap, RangeIsThatOfTheFiniteValues) {
  const auto range = [](double a, double b, ColorMap map = ColorMap::viridis) {
    return detail::color_range({.values = Eigen::RowVector2d(a, b), .color_map = map});
  };
  EXPECT_EQ(range(-2, 5), (Range{-2, 5}));
  EXPECT_EQ(range(-2, 5, ColorMap::coolwarm), (Range{-5, 5}));
  EXPECT_EQ(range(3, 3), (Range{0, 3}));
  EXPECT_EQ(range(-3, -3), (Range{-3, 0}));
  EXPECT_EQ(range(0, 0), (Range{0, 1}));
  EXPECT_EQ(range(0, 0, ColorMap::coolwarm), (Range{-1, 1}));
  EXPECT_EQ(range(nan, nan), (Range{0, 1}));
  EXPECT_EQ(range(nan, infinity), (Range{0, 1}));
  EXPECT_THROW(detail::color_range({.values = Eigen::Matrix2d::Zero(), .range = Range{1, 1}}),
               attn::OptionError);
  EXPECT_THROW(
      detail::color_range({.values = Eigen::Matrix2d::Zero(), .range = Range{0, infinity}}),
      attn::OptionError);
}

TEST(HeatMap, ManyCellsToAPixelShowTheirMean) {
  Eigen::MatrixXd values(2000, 2000);
  for (Index i = 0; i < 2000; ++i)
    for (Index j = 0; j < 2000; ++j) values(i, j) = i < 1000 ? 1 : (i + j) % 2 ? 0.25 : 0.75;
  values(1500, 1000) = nan;
  const Figure figure{.panels = {HeatMap{.values = values, .range = Range{0, 1}}},
                      .scale = 1,
                      .font = Font::built_in()};
  const Rect frame = figure.layout().panels[0].frame;
  ASSERT_LT(frame.width, 600);
  const Image image = figure.draw();
  EXPECT_EQ(image.at(frame.x + 7, frame.y + frame.height / 4),
            detail::color_at(ColorMap::viridis, 1));
  double sum = 0;
  for (int x = 0; x < frame.width; ++x) {
    const Color color = image.at(frame.x + x, frame.y + 3 * frame.height / 4);
    sum += color.green;
    EXPECT_NE(color, detail::ink::missing);
  }
  EXPECT_NEAR(sum / frame.width, detail::color_at(ColorMap::viridis, 0.5).green, 6);
}

TEST(HeatMap, ExtremeValuesAreDrawn) {
  for (const double v : {DBL_MAX, 5e-324, 1e-30}) {
    Eigen::MatrixXd values = Eigen::MatrixXd::Constant(3, 3, v);
    values(0, 0) = -v;
    values(1, 1) = 0;
    const Figure figure{.panels = {HeatMap{.values = values}}, .font = Font::built_in()};
    const Rect frame = figure.layout().panels[0].frame;
    const Image image = figure.draw();
    EXPECT_EQ(image.at(frame.x + 2, frame.y + 2), detail::color_at(ColorMap::viridis, 0)) << v;
    EXPECT_EQ(image.at(frame.right() - 2, frame.y + 2), detail::color_at(ColorMap::viridis, 1))
        << v;
    EXPECT_EQ(image.at(frame.x + frame.width / 2, frame.y + frame.height / 2),
              detail::color_at(ColorMap::viridis, 0.5))
        << v;
  }
}

TEST(HeatMap, CellsAreSquareLargeForFewWordsAndLegibleForMany) {
  for (Index n = 1; n <= 60; ++n) {
    const PanelLayout layout = detail::lay_out(HeatMap{.values = Eigen::MatrixXd::Identity(n, n),
                                                       .row_labels = words(n),
                                                       .column_labels = words(n)},
                                               Font::system(), 2);
    EXPECT_EQ(layout.frame.width, layout.frame.height);
    EXPECT_EQ(layout.frame.width % n, 0);
    EXPECT_GE(layout.frame.width / n, 24);
    EXPECT_LE(layout.frame.width / n, 88);
    std::vector<std::string> shown;
    for (const Text& text : layout.texts)
      if (text.text.starts_with("word")) {
        shown.push_back(text.text);
        EXPECT_GE(text.size, 18);
      }
    EXPECT_EQ(static_cast<Index>(shown.size()), 2 * n)
        << "every word labels its row and its column";
  }
}

TEST(HeatMap, LabelsLieAtTheirCells) {
  const Index n = 30;
  const PanelLayout layout = detail::lay_out(HeatMap{.values = Eigen::MatrixXd::Identity(n, n),
                                                     .row_labels = words(n, "row"),
                                                     .column_labels = words(n, "col")},
                                             Font::system(), 2);
  int seen = 0;
  for (const Text& text : layout.texts)
    for (Index i = 0; i < n; ++i) {
      const int cell = layout.frame.width / static_cast<int>(n),
                middle = static_cast<int>(i) * cell + cell / 2;
      if (text.text == "row" + std::to_string(i)) {
        ++seen;
        EXPECT_NEAR(text.box.y + text.box.height / 2, middle, 1);
        EXPECT_LT(text.box.right(), 0);
      }
      if (text.text == "col" + std::to_string(i)) {
        ++seen;
        EXPECT_NEAR(text.box.x + text.box.width / 2, middle, 1);
        EXPECT_GT(text.box.y, layout.frame.bottom());
        EXPECT_TRUE(text.vertical);
      }
    }
  EXPECT_EQ(seen, 2 * n);
}

TEST(HeatMap, SingleLettersAreUprightInNarrowCells) {
  for (const Index n : {5, 24, 36}) {
    std::vector<std::string> letters;
    for (Index i = 0; i < n; ++i) letters.emplace_back(1, "mW1i"[static_cast<std::size_t>(i % 4)]);
    const PanelLayout layout =
        detail::lay_out(HeatMap{.values = Eigen::MatrixXd::Ones(10, n), .column_labels = letters},
                        Font::system(), 2);
    Index shown = 0;
    for (const Text& text : layout.texts)
      if (text.box.y > layout.frame.bottom() && text.text.size() == 1 && !text.vertical) ++shown;
    EXPECT_EQ(shown, n);
  }
}

TEST(HeatMap, BarShowsTheRangeWithNumbers) {
  const Figure figure{
      .panels = {HeatMap{.values = Eigen::MatrixXd::Random(8, 8), .range = Range{-1, 1}}},
      .font = Font::built_in()};
  const PanelLayout panel = figure.layout().panels[0];
  const Image image = figure.draw();
  EXPECT_GT(panel.bar.x, panel.frame.right());
  EXPECT_EQ(image.at(panel.bar.x + 3, panel.bar.y), detail::color_at(ColorMap::viridis, 1));
  EXPECT_EQ(image.at(panel.bar.x + 3, panel.bar.bottom() - 1),
            detail::color_at(ColorMap::viridis, 0));
  int numbers = 0;
  for (const Text& text : panel.texts)
    if (text.box.x > panel.bar.x) {
      ++numbers;
      const double value =
          std::stod(text.text.starts_with("−") ? "-" + text.text.substr(3) : text.text);
      const double fraction =
          1 - (text.box.y + text.box.height / 2.0 - panel.bar.y) / panel.bar.height;
      EXPECT_NEAR(value, -1 + 2 * fraction, 0.01);
    }
  EXPECT_GE(numbers, 5);
}

TEST(HeatMap, EveryRangeGetsAtLeastTwoNumbers) {
  for (const double size : {1e-8, 0.37, 1.0, 42.0, 1e8}) {
    const PanelLayout panel =
        detail::lay_out(HeatMap{.values = Eigen::RowVector2d(-size, size)}, Font::system(), 2);
    EXPECT_GE(std::count_if(panel.texts.begin(), panel.texts.end(),
                            [&](const Text& text) { return text.box.x > panel.bar.x; }),
              2)
        << size;
  }
}

TEST(HeatMap, WrongLabelsAndEmptyValuesAreOneSentence) {
  const Eigen::MatrixXd values = Eigen::MatrixXd::Zero(7, 4);
  EXPECT_EQ(what({.values = values, .row_labels = words(5)}),
            "HeatMap: 5 row labels must be as many as the 7 rows of values (7, 4)");
  EXPECT_EQ(what({.values = values, .column_labels = words(5)}),
            "HeatMap: 5 column labels must be as many as the 4 columns of values (7, 4)");
  EXPECT_EQ(what({.values = Eigen::MatrixXd(0, 4)}),
            "HeatMap: values (0, 4) must have at least one row and one column");
  EXPECT_EQ(what({}), "HeatMap: values (0, 0) must have at least one row and one column");
}

}  // namespace
