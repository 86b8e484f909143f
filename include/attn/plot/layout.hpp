#pragma once

#include <attn/plot/font.hpp>
#include <attn/plot/image.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// A line of text and the box that holds all its ink; turned, it reads upwards.
struct Text {
  Rect box{};
  std::string text{};
  double size = 0;
  bool turned = false;
};

/// A filled rectangle: ticks, frames, grid lines.
struct Stroke {
  Rect area{};
  Color color{};
};

/// Where everything of a panel lies, in pixels; drawing only follows it. No text overlaps a text,
/// the frame or the bar.
struct PanelLayout {
  Rect frame{};  ///< the cells or curves
  Rect bar{};    ///< the colours; empty for curves
  std::vector<Stroke> strokes{};
  std::vector<Text> texts{};

  Rect bounds() const {
    Rect all = unite(frame, bar);
    for (const Stroke& stroke : strokes) all = unite(all, stroke.area);
    for (const Text& text : texts) all = unite(all, text.box);
    return all;
  }
  void move(int dx, int dy) {
    frame = frame.moved(dx, dy), bar = bar.moved(dx, dy);
    for (Stroke& stroke : strokes) stroke.area = stroke.area.moved(dx, dy);
    for (Text& text : texts) text.box = text.box.moved(dx, dy);
  }
};

/// Sizes in points; a picture has `scale` pixels to the point.
namespace points {
inline constexpr double label = 11.5, axis_title = 12, panel_title = 13.5, figure_title = 17;
inline constexpr double line = 0.75, tick = 3.5, pad = 3, gap = 6;
}  // namespace points

/// A panel while it is laid out, its frame's corner at (0, 0): places text by an anchor, and knows
/// points and pixels.
struct Draft {
  const Font& font;
  double scale;
  PanelLayout panel{};

  int px(double size) const { return std::max(1, static_cast<int>(std::lround(size * scale))); }

  /// Text whose box has the point (x, y) at the share (across, down) of its width and height: (0,
  /// 0) its corner, (1, 0.5) the middle of its right side.
  Rect box(const std::string& text, double size, int x, int y, double across, double down,
           bool turned = false) const {
    const int length = font.width(text, size), thickness = font.height(size);
    const int width = turned ? thickness : length, height = turned ? length : thickness;
    return {x - static_cast<int>(std::lround(across * width)),
            y - static_cast<int>(std::lround(down * height)), width, height};
  }
  void text(const std::string& text, double size, int x, int y, double across, double down,
            bool turned = false) {
    if (!text.empty())
      panel.texts.push_back({box(text, size, x, y, across, down, turned), text, size, turned});
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

  /// A tick and its label below an area, left of it, or right of it, at a pixel along the side.
  /// Label sizes in pixels.
  void tick_below(const Rect& area, int at, const std::string& label, double size,
                  bool turned = false, double length = points::tick) {
    const int line = px(points::line), end = area.bottom() + line + px(length);
    stroke({at - line / 2, area.bottom() + line, line, px(length)});
    text(label, size, at, end + px(points::pad), 0.5, 0, turned);
  }
  void tick_left(const Rect& area, int at, const std::string& label, double size,
                 double length = points::tick) {
    const int line = px(points::line), end = area.x - line - px(length);
    stroke({end, at - line / 2, px(length), line});
    text(label, size, end - px(points::pad), at, 1, 0.5);
  }
  void tick_right(const Rect& area, int at, const std::string& label, double size) {
    const int line = px(points::line), begin = area.right() + line;
    stroke({begin, at - line / 2, px(points::tick), line});
    text(label, size, begin + px(points::tick) + px(points::pad), at, 0, 0.5);
  }

  /// Titles of the axes and of the panel, each outside all that has been placed so far.
  void axis_titles(const std::string& across, const std::string& down) {
    const Rect& frame = panel.frame;
    const double axis = points::axis_title * scale;
    const int room = std::max(px(300), panel.bounds().width);
    text(font.shorten(across, axis, room), axis, frame.x + frame.width / 2,
         panel.bounds().bottom() + px(points::gap), 0.5, 0);
    text(font.shorten(down, axis, room), axis, panel.bounds().x - px(points::gap),
         frame.y + frame.height / 2, 1, 0.5, true);
  }
  void title(const std::string& title) {
    const Rect& frame = panel.frame;
    const double head = points::panel_title * scale;
    const int top = std::min(panel.bounds().y, frame.y - font.height(points::label * scale) / 2);
    text(font.shorten(title, head, std::max(px(300), panel.bounds().width)), head,
         frame.x + frame.width / 2, top - px(points::gap), 0.5, 1);
  }
};

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
