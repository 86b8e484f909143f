#pragma once

#include <attn/plot/font.hpp>
#include <attn/plot/image.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// A line of text and the box that contains all its ink. Vertical text reads upwards.
struct Text {
  Rect box{};
  std::string text{};
  double size = 0;  ///< pixels to the em
  bool vertical = false;
};

/// A filled rectangle: a tick, one side of a frame, a grid line.
struct Stroke {
  Rect area{};
  Color color{};
};

/// The positions of all parts of a panel, in pixels. No text overlaps another text, the frame or
/// the bar.
struct PanelLayout {
  Rect frame{};  ///< the cells or the curves
  Rect bar{};    ///< the color bar; empty for curves
  std::vector<Stroke> strokes{};
  std::vector<Text> texts{};

  Rect bounds() const {
    Rect all = unite(frame, bar);
    for (const Stroke& stroke : strokes) all = unite(all, stroke.area);
    for (const Text& text : texts) all = unite(all, text.box);
    return all;
  }
  void move(int dx, int dy) {
    frame = frame.moved(dx, dy);
    bar = bar.moved(dx, dy);
    for (Stroke& stroke : strokes) stroke.area = stroke.area.moved(dx, dy);
    for (Text& text : texts) text.box = text.box.moved(dx, dy);
  }
};

namespace detail {

/// Sizes in points. A picture has `scale` pixels to the point.
namespace points {
inline constexpr double label = 11.5, axis_title = 12, panel_title = 13.5, figure_title = 17;
inline constexpr double line = 0.75, tick = 3.5, pad = 3, gap = 6;
}  // namespace points

/// A line of text that has no position yet.
struct Label {
  std::string text{};
  double size = 0;  ///< pixels to the em
  bool vertical = false;
};

/// A point (x, y), and the place of a box that shall lie there, as a fraction of the width and the
/// height of the box: (0, 0) is its corner, (1, 0.5) the middle of its right side.
struct Anchor {
  int x = 0, y = 0;
  double across = 0, down = 0;
};

/// A panel while it is laid out, with the corner of its frame at (0, 0).
struct Draft {
  const Font& font;
  double scale;
  PanelLayout panel{};

  /// The pixels of a size in points, at least 1.
  int px(double size) const { return std::max(1, static_cast<int>(std::lround(size * scale))); }

  Rect box(const Label& label, const Anchor& anchor) const {
    const int length = font.width(label.text, label.size);
    const int thickness = font.height(label.size);
    const int width = label.vertical ? thickness : length;
    const int height = label.vertical ? length : thickness;
    return {anchor.x - static_cast<int>(std::lround(anchor.across * width)),
            anchor.y - static_cast<int>(std::lround(anchor.down * height)), width, height};
  }
  void place(const Label& label, const Anchor& anchor) {
    if (!label.text.empty())
      panel.texts.push_back({box(label, anchor), label.text, label.size, label.vertical});
  }
  void stroke(const Rect& area, Color color = ink::axis) { panel.strokes.push_back({area, color}); }

  /// Four lines around the outside of an area.
  void outline(const Rect& area) {
    const int line = px(points::line);
    stroke({area.x - line, area.y - line, area.width + 2 * line, line});
    stroke({area.x - line, area.bottom(), area.width + 2 * line, line});
    stroke({area.x - line, area.y, line, area.height});
    stroke({area.right(), area.y, line, area.height});
  }

  /// A tick of `length` points with its label, below an area, at pixel `at` along its side.
  void tick_below(const Rect& area, int at, const Label& label, double length = points::tick) {
    const int line = px(points::line);
    const int end = area.bottom() + line + px(length);
    stroke({at - line / 2, area.bottom() + line, line, px(length)});
    place(label, {at, end + px(points::pad), 0.5, 0});
  }
  /// A tick of `length` points with its label, left of an area, at pixel `at` along its side.
  void tick_left(const Rect& area, int at, const Label& label, double length = points::tick) {
    const int line = px(points::line);
    const int end = area.x - line - px(length);
    stroke({end, at - line / 2, px(length), line});
    place(label, {end - px(points::pad), at, 1, 0.5});
  }
  /// A tick with its label, right of an area, at pixel `at` along its side.
  void tick_right(const Rect& area, int at, const Label& label) {
    const int line = px(points::line);
    const int begin = area.right() + line;
    stroke({begin, at - line / 2, px(points::tick), line});
    place(label, {begin + px(points::tick) + px(points::pad), at, 0, 0.5});
  }

  /// Titles of the axes, outside of all that has been placed so far.
  void axis_titles(const std::string& across, const std::string& down) {
    const Rect& frame = panel.frame;
    const double size = points::axis_title * scale;
    const int widest = std::max(px(300), panel.bounds().width);
    place({font.shorten(across, size, widest), size},
          {frame.x + frame.width / 2, panel.bounds().bottom() + px(points::gap), 0.5, 0});
    place({font.shorten(down, size, widest), size, true},
          {panel.bounds().x - px(points::gap), frame.y + frame.height / 2, 1, 0.5});
  }
  /// The title of the panel, above all that has been placed so far.
  void title(const std::string& title) {
    const Rect& frame = panel.frame;
    const double size = points::panel_title * scale;
    const int top = std::min(panel.bounds().y, frame.y - font.height(points::label * scale) / 2);
    place({font.shorten(title, size, std::max(px(300), panel.bounds().width)), size},
          {frame.x + frame.width / 2, top - px(points::gap), 0.5, 1});
  }
};

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
