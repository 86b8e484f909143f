#pragma once

#include <algorithm>
#include <attn/files/atomic_file.hpp>
#include <attn/plot/curves.hpp>
#include <attn/plot/grid.hpp>
#include <attn/plot/heat_map.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// The positions of all parts of a figure, in pixels.
struct Layout {
  int width = 0, height = 0;
  double scale = 1;  ///< pixels to the point
  std::vector<Text> title{};
  std::vector<PanelLayout> panels{};
};

/// Panels in a grid, under a title. For example
/// `Figure{.title = "two heads", .panels = {HeatMap{.values = p, .title = "head 1"},
/// HeatMap{.values = q, .title = "head 2"}}}.save("heads.png")`.
/// Errors: ShapeError and OptionError, as the panels state; ShapeError without a panel.
struct Figure {
  std::string title{};
  std::vector<Panel> panels{};
  int columns = 0;  ///< of the grid; 0: as many as suit the panels
  /// Pixels to the point, from 1 to 8. It is reduced, but to no less than 1, where the picture
  /// would have more than 6000 pixels on a side.
  double scale = 2;
  std::optional<Font> font{};  ///< by default `Font::system()`

  Layout layout() const;
  /// The pixels of the picture.
  Image draw() const;
  /// The bytes of a PNG file.
  std::vector<std::uint8_t> encode() const { return draw().png(); }
  /// Writes a PNG file, whole or not at all. Errors: FileError if the path cannot be written.
  void save(const std::filesystem::path& path) const {
    const std::vector<std::uint8_t> bytes = encode();
    write_atomically(path, "save", std::as_bytes(std::span(bytes)));
  }
};

namespace detail {

/// Places the title of a figure in the middle of a page that is at least as wide as the grid.
inline void place_title(Layout& layout, const std::vector<std::string>& lines, const Draft& page) {
  const double size = points::figure_title * page.scale;
  const int margin = page.px(16);
  int top = margin;
  for (const std::string& line : lines) {
    const Rect box = page.box({line, size}, {layout.width / 2, top, 0.5, 0});
    layout.title.push_back({box, line, size});
    top += page.font.height(size);
  }
}

inline Layout lay_out(const Figure& figure, const Font& font, double scale) {
  Layout layout{.scale = scale};
  const Draft page{font, scale};
  for (const Panel& panel : figure.panels)
    layout.panels.push_back(
        std::visit([&](const auto& kind) { return lay_out(kind, font, scale); }, panel));

  const int margin = page.px(16), gap = page.px(26);
  const Grid grid(layout.panels,
                  figure.columns > 0 ? static_cast<std::size_t>(figure.columns)
                                     : best_columns(layout.panels, gap),
                  gap);
  const double size = points::figure_title * scale;
  const std::vector<std::string> lines =
      wrap(font, figure.title, size, std::max(grid.width(), page.px(480)));
  int width = grid.width();
  for (const std::string& line : lines) width = std::max(width, font.width(line, size));
  const int title_height = static_cast<int>(lines.size()) * font.height(size);
  const int top = margin + title_height + (lines.empty() ? 0 : page.px(12));
  layout.width = width + 2 * margin;
  layout.height = top + grid.height() + margin;
  place_title(layout, lines, page);

  for (std::size_t i = 0; i < layout.panels.size(); ++i) {
    const Rect frame = grid.frame(i, layout.panels[i].frame);
    layout.panels[i].move(margin + (width - grid.width()) / 2 + frame.x, top + frame.y);
  }
  return layout;
}

inline Layout lay_out(const Figure& figure, const Font& font) {
  if (figure.panels.empty()) throw ShapeError("Figure: panels must be at least one");
  if (!(figure.scale >= 1 && figure.scale <= 8))
    throw OptionError("Figure: scale " + std::to_string(figure.scale) + " must be from 1 to 8");
  double scale = figure.scale;
  for (;;) {
    Layout layout = lay_out(figure, font, scale);
    const int side = std::max(layout.width, layout.height);
    if (side <= 6000 || scale == 1) return layout;
    scale = std::max(1.0, std::min(scale * 6000 / side, scale - 0.02));
  }
}

inline void draw(const Text& text, const Font& font, Image& image) {
  image.stamp(font.render(text.text, text.size), text.box.x, text.box.y, ink::text, text.vertical);
}

}  // namespace detail

inline Layout Figure::layout() const {
  return detail::lay_out(*this, font ? *font : Font::system());
}

inline Image Figure::draw() const {
  const Font face = font ? *font : Font::system();
  const Layout layout = detail::lay_out(*this, face);
  Image image(layout.width, layout.height);
  for (const Text& line : layout.title) detail::draw(line, face, image);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const PanelLayout& place = layout.panels[i];
    for (const Stroke& stroke : place.strokes) image.fill(stroke.area, stroke.color);
    if (const auto* map = std::get_if<HeatMap>(&panels[i])) detail::draw(*map, place, image);
    else detail::draw(std::get<Curves>(panels[i]), place, layout.scale, image);
    for (const Text& text : place.texts) detail::draw(text, face, image);
  }
  return image;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
