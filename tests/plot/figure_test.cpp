#include <gtest/gtest.h>
#include <attn/plot/figure.hpp>

#include <limits>
#include <random>
#include <sstream>

#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"
#include "layout_checks.hpp"
#include "png_reader.hpp"

namespace {

using attn::Index;
using namespace attn::plot;
namespace fs = std::filesystem;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> sentence(std::size_t n) {
  std::istringstream text(
      "The Law will never be perfect , but its application should be just - this is what we are "
      "missing , in my opinion . Wer weiß , ob naïve Ελληνικά und "
      "Здравствуйте "
      "wie internationalisation-of-everything-which-is-far-too-long a I ｍ WWWWWWWWWWWW \xff\xfe "
      "e\u0301 中文 🙂 x");
  std::vector<std::string> words;
  for (std::string word; words.size() < n && text >> word;) words.push_back(word);
  while (words.size() < n) words.push_back("word" + std::to_string(words.size()));
  return words;
}

/// The picture of the first example: maps over a sentence, and the encoding of its positions.
Figure sentence_figure(std::size_t n, int heads, const Font& font) {
  const auto words = sentence(n);
  const auto L = static_cast<Index>(n);
  Figure figure{
      .title = "Attention in a sentence of some words, which is rather a long title for it indeed",
      .font = font};
  const auto map = [&](const std::string& title) {
    figure.panels.push_back(HeatMap{.values = Eigen::MatrixXd::Random(L, L).cwiseAbs(),
                                    .title = title,
                                    .row_labels = words,
                                    .column_labels = words,
                                    .row_title = "queries",
                                    .column_title = "keys"});
  };
  map("scaled dot-product attention");
  for (int h = 1; h <= heads; ++h) map("head " + std::to_string(h));
  map("causal self-attention");
  figure.panels.push_back(HeatMap{.values = Eigen::MatrixXd::Random(L, 64),
                                  .title = "positional encoding",
                                  .row_labels = words,
                                  .row_title = "position",
                                  .column_title = "dimension",
                                  .color_map = ColorMap::coolwarm,
                                  .range = Range{-1, 1}});
  return figure;
}

TEST(Figure, NothingOverlapsForOneToSixtyWords) {
  for (const Font& font : {Font::system(), Font::built_in()})
    for (std::size_t n = 1; n <= 60; n += n < 12 ? 1 : 6)
      for (const int heads : {1, 4, 16}) {
        const Layout layout = sentence_figure(n, heads, font).layout();
        attn_test::expect_tidy(layout,
                               std::to_string(n) + " words, " + std::to_string(heads) + " heads");
        EXPECT_LE(std::max(layout.width, layout.height), 6000);
        EXPECT_LE(layout.width, 4 * layout.height);
        EXPECT_LE(layout.height, 3 * layout.width);
        if (testing::Test::HasFailure()) return;
      }
}

TEST(Figure, NothingOverlapsInRandomFigures) {
  std::mt19937 random(2024);
  const auto below = [&](std::size_t n) { return random() % n; };
  const auto text = [&] {
    std::string all;
    for (std::size_t i = below(4) == 0 ? below(60) : below(10); i > 0; --i)
      all += below(9) == 0   ? "ü"
             : below(7) == 0 ? " "
                             : std::string(1, static_cast<char>('a' + below(26)));
    return all;
  };
  for (int trial = 0; trial < 150; ++trial) {
    Figure figure{.title = below(2) ? text() : "",
                  .columns = static_cast<int>(below(5)),
                  .scale = 1 + static_cast<double>(below(20)) / 10,
                  .font = below(2) ? Font::system() : Font::built_in()};
    for (std::size_t p = 1 + below(20); p > 0; --p) {
      if (below(5) == 0) {
        figure.panels.push_back(
            Curves{.title = text(),
                   .x = {.title = text(), .scale = below(2) ? Scale::log2 : Scale::linear},
                   .y = {.title = text(), .scale = below(2) ? Scale::log10 : Scale::linear},
                   .curves = {{.name = text(), .x = {1, 2, 700.5}, .y = {1e-3, 17, 3e4}},
                              {.name = text(), .x = {3}, .y = {4}}}});
        continue;
      }
      const std::size_t rows = 1 + (below(6) == 0 ? below(300) : below(30)),
                        columns = 1 + (below(6) == 0 ? below(300) : below(30));
      HeatMap map{
          .values = Eigen::MatrixXd::Random(static_cast<Index>(rows), static_cast<Index>(columns)) *
                    std::pow(10.0, static_cast<double>(below(30)) - 15),
          .title = text(),
          .row_title = text(),
          .column_title = text()};
      if (below(3)) std::generate_n(std::back_inserter(map.row_labels), rows, text);
      if (below(3)) std::generate_n(std::back_inserter(map.column_labels), columns, text);
      figure.panels.push_back(std::move(map));
    }
    attn_test::expect_tidy(figure.layout(), "trial " + std::to_string(trial));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Figure, PngHasTheSizeAndPixelsOfTheLayout) {
  const Figure figure = sentence_figure(5, 2, Font::system());
  const Layout layout = figure.layout();
  const Image image = figure.draw();
  const attn_test::Picture picture = attn_test::read_png(figure.encode());
  ASSERT_EQ(picture.width, layout.width);
  ASSERT_EQ(picture.height, layout.height);
  for (int y = 0; y < layout.height; ++y)
    for (int x = 0; x < layout.width; ++x) ASSERT_EQ(picture.at(x, y), image.at(x, y));
}

TEST(Figure, InkLiesWhereTheLayoutSaysAndNowhereElse) {
  for (const Font& font : {Font::system(), Font::built_in()}) {
    const Figure figure = sentence_figure(9, 2, font);
    const Layout layout = figure.layout();
    Image image = figure.draw();
    const auto dark = [&](const Rect& box) {
      int count = 0;
      for (int y = box.y; y < box.bottom(); ++y)
        for (int x = box.x; x < box.right(); ++x) count += image.at(x, y).green < 128;
      return count;
    };
    for (const PanelLayout& panel : layout.panels)
      for (const Text& text : panel.texts) EXPECT_GT(dark(text.box), 0) << text.text;
    for (const Text& text : layout.title) image.fill(text.box, detail::ink::paper);
    for (const PanelLayout& panel : layout.panels) {
      image.fill(panel.frame, detail::ink::paper);
      image.fill(panel.bar, detail::ink::paper);
      for (const Text& text : panel.texts) image.fill(text.box, detail::ink::paper);
      for (const Stroke& stroke : panel.strokes) image.fill(stroke.area, detail::ink::paper);
    }
    EXPECT_EQ(dark({0, 0, image.width(), image.height()}), 0);
  }
}

TEST(Figure, GridHasTheRequestedColumns) {
  Figure figure{.font = Font::built_in()};
  for (int i = 0; i < 6; ++i)
    figure.panels.push_back(HeatMap{.values = Eigen::MatrixXd::Random(4, 4)});
  for (int columns = 1; columns <= 6; ++columns) {
    figure.columns = columns;
    const Layout layout = figure.layout();
    for (std::size_t i = 0; i < 6; ++i) {
      const Rect& frame = layout.panels[i].frame;
      const Rect& above = layout.panels[i % static_cast<std::size_t>(columns)].frame;
      EXPECT_EQ(frame.x, above.x);
      EXPECT_EQ(frame.y, layout.panels[i - i % static_cast<std::size_t>(columns)].frame.y);
    }
    EXPECT_EQ(layout.panels[0].frame.y == layout.panels[5].frame.y, columns == 6);
  }
}

TEST(Figure, LongTitlesAreWrapped) {
  Figure figure = sentence_figure(2, 1, Font::system());
  for (int i = 0; i < 7; ++i) figure.title += " " + figure.title;
  const Layout layout = figure.layout();
  EXPECT_EQ(layout.title.size(), 3u);
  EXPECT_TRUE(layout.title.back().text.ends_with("…"));
  figure.title = "one\ntwo";
  EXPECT_EQ(figure.layout().title.size(), 2u);
  figure.title = "   ";
  attn_test::expect_tidy(figure.layout(), "blank title");
}

TEST(Figure, SavesTheWholeFileOrNothing) {
  const TemporaryFolder folder;
  const Figure figure{.panels = {HeatMap{.values = Eigen::MatrixXd::Random(3, 3)}}};
  figure.save(folder / "a.png");
  const std::vector<std::uint8_t> bytes = figure.encode();
  EXPECT_EQ(content(folder / "a.png"), std::string(bytes.begin(), bytes.end()));
  EXPECT_THROW((Figure{.panels = {HeatMap{}}}.save(folder / "b.png")), attn::ShapeError);
  EXPECT_EQ(sentence_of<attn::FileError>([&] { figure.save(folder / "missing/a.png"); }),
            "save: cannot write \"" + (folder / "missing/a.png").string() +
                "\": No such file or directory");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { figure.save(folder.path); }),
            "save: path \"" + folder.path.string() + "\" must name a file, but it is a directory");
  EXPECT_EQ(folder.count(), 1);
}

TEST(Figure, SaveKeepsALinkAndThePermissionsOfTheOldFile) {
  const TemporaryFolder folder;
  put(folder / "real.png", "old");
  fs::permissions(folder / "real.png", fs::perms(0604));
  fs::create_symlink("real.png", folder / "link.png");
  Figure{.panels = {HeatMap{.values = Eigen::MatrixXd::Random(3, 3)}}}.save(folder / "link.png");
  EXPECT_TRUE(fs::is_symlink(folder / "link.png"));
  EXPECT_TRUE(content(folder / "real.png").starts_with("\x89PNG"));
  EXPECT_EQ(fs::status(folder / "real.png").permissions(), fs::perms(0604));
  EXPECT_EQ(folder.count(), 2);
}

TEST(Figure, Errors) {
  EXPECT_THROW(Figure{}.layout(), attn::ShapeError);
  const std::vector<Panel> panels{HeatMap{.values = Eigen::MatrixXd::Random(3, 3)}};
  EXPECT_THROW((Figure{.panels = panels, .scale = 0}.layout()), attn::OptionError);
  EXPECT_THROW((Figure{.panels = panels, .scale = nan}.layout()), attn::OptionError);
  EXPECT_NO_THROW((Figure{.panels = panels, .columns = 1000000}.layout()));
}

}  // namespace
