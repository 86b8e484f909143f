#pragma once

#include <algorithm>
#include <attn/plot/curves.hpp>
#include <attn/plot/grid.hpp>
#include <attn/plot/heat_map.hpp>
#include <attn/plot/save_file.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// Where everything of a figure lies, in pixels.
struct Layout {
  int width = 0, height = 0;
  double scale = 1;  ///< pixels to the point
  std::vector<Text> title{};
  std::vector<PanelLayout> panels{};
};

/// Panels in a grid, under a title. For example
/// `Figure{.title = "two heads", .panels = {HeatMap{.values = p, .title = "head 1"},
/// HeatMap{.values = q, .title = "head 2"}}}.save("heads.png")`.
/// Errors: ShapeError and OptionError as the panels say; ShapeError without a panel.
struct Figure {
  std::string title{};
  std::vector<Panel> panels{};
  int columns = 0;  ///< of the grid; 0: as looks well
  double scale =
      2;  ///< pixels to the point, from 1 to 8; less where the picture would exceed 6000 pixels on a side, but never below 1
  std::optional<Font> font{};  ///< by default `Font::system()`

  Layout layout() const;
  /// The picture, as pixels.
  Image draw() const;
  /// The bytes of a PNG file.
  std::vector<std::uint8_t> encode() const { return draw().png(); }
  /// Writes a PNG file, whole or not at all. Errors: FileError if the path cannot be written.
  void save(const std::filesystem::path& path) const { save_file(path, encode()); }
};

namespace detail {

inline Layout lay_out(const Figure& figure, const Font& font, double scale) {
  Layout layout{.scale = scale};
  const Draft page{font, scale};
  for (const Panel& panel : figure.panels)
    layout.panels.push_back(
        std::visit([&](const auto& kind) { return plot::lay_out(kind, font, scale); }, panel));

  const int margin = page.px(16), gap = page.px(26);
  const Grid grid(layout.panels,
                  figure.columns > 0 ? static_cast<std::size_t>(figure.columns)
                                     : best_columns(layout.panels, gap),
                  gap);
  const double size = points::figure_title * scale;
  int width = grid.width(), top = margin;
  const std::vector<std::string> lines =
      wrap(font, figure.title, size, std::max(width, page.px(480)));
  for (const std::string& line : lines) width = std::max(width, font.width(line, size));
  for (const std::string& line : lines) {
    layout.title.push_back({page.box(line, size, margin + width / 2, top, 0.5, 0), line, size});
    top += font.height(size);
  }
  if (!lines.empty()) top += page.px(12);
  layout.width = width + 2 * margin, layout.height = top + grid.height() + margin;

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

}  // namespace detail

inline Layout Figure::layout() const {
  return detail::lay_out(*this, font ? *font : Font::system());
}

inline Image Figure::draw() const {
  const Font face = font ? *font : Font::system();
  const Layout layout = detail::lay_out(*this, face);
  Image image(layout.width, layout.height);
  const auto write = [&](const Text& text) {
    image.stamp(face.render(text.text, text.size), text.box.x, text.box.y, ink::text, text.turned);
  };
  for (const Text& line : layout.title) write(line);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const PanelLayout& place = layout.panels[i];
    for (const Stroke& stroke : place.strokes) image.fill(stroke.area, stroke.color);
    if (const auto* map = std::get_if<HeatMap>(&panels[i])) plot::draw(*map, place, image);
    else plot::draw(std::get<Curves>(panels[i]), place, layout.scale, image);
    for (const Text& text : place.texts) write(text);
  }
  return image;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
