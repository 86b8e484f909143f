#pragma once

#include <algorithm>
#include <attn/plot/image.hpp>
#include <cmath>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

struct Point {
  double x = 0, y = 0;

  friend Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
  friend Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
  friend Point operator*(double factor, Point a) { return {factor * a.x, factor * a.y}; }
  friend double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
};

/// A part of a line from a to b, as fractions of the way; empty if `enter` exceeds `leave`.
struct LinePart {
  double enter = 0, leave = 1;

  /// Keeps where begin + fraction · length lies from low to high.
  void clip(double begin, double length, double low, double high) {
    if (length == 0) {
      if (begin < low || begin > high) leave = -1;
      return;
    }
    const double first = (low - begin) / length;
    const double last = (high - begin) / length;
    enter = std::max(enter, std::min(first, last));
    leave = std::min(leave, std::max(first, last));
  }
};

/// How much of the pixel around `center` a line from `a` to `b` covers, 0 to 1, by the distance of
/// the two.
inline double coverage(Point center, Point a, Point b, double width) {
  const Point line = b - a;
  const double square = dot(line, line);
  const double fraction = square > 0 ? std::clamp(dot(center - a, line) / square, 0.0, 1.0) : 0;
  const Point apart = center - a - fraction * line;
  return std::clamp(width / 2 + 0.5 - std::hypot(apart.x, apart.y), 0.0, 1.0);
}

/// Draws a line from `a` to `b`, `width` pixels thick, with anti-aliasing.
/// Cost: a strip of pixels around the part of the line that lies within the mask.
inline void draw_line(Coverage& mask, Point a, Point b, double width) {
  const double reach = width / 2 + 1;
  LinePart part;
  part.clip(a.x, b.x - a.x, -reach, mask.width + reach);
  part.clip(a.y, b.y - a.y, -reach, mask.height + reach);
  if (!(part.enter <= part.leave)) return;
  const Point first = a + part.enter * (b - a);
  const Point last = a + part.leave * (b - a);

  // u counts along the longer side of the line, v across it.
  const Point line = last - first;
  const bool is_steep = std::abs(line.y) > std::abs(line.x);
  const double along = is_steep ? line.y : line.x;
  const double slope = (is_steep ? line.x : line.y) / (along == 0 ? 1 : along);
  const double first_u = is_steep ? first.y : first.x;
  const double first_v = is_steep ? first.x : first.y;
  const double last_u = is_steep ? last.y : last.x;
  const int u_begin = static_cast<int>(std::floor(std::min(first_u, last_u) - reach));
  const int u_end = static_cast<int>(std::ceil(std::max(first_u, last_u) + reach));
  const double half = reach * 1.5 + 1;
  for (int u = u_begin; u <= u_end; ++u) {
    const double middle = first_v + (u + 0.5 - first_u) * slope;
    const int v_end = static_cast<int>(std::ceil(middle + half));
    for (int v = static_cast<int>(std::floor(middle - half)); v <= v_end; ++v) {
      const int x = is_steep ? v : u;
      const int y = is_steep ? u : v;
      const double covered = coverage({x + 0.5, y + 0.5}, first, last, width);
      mask.ink(x, y, static_cast<std::uint8_t>(std::lround(255 * covered)));
    }
  }
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
