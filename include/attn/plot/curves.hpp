#pragma once

#include <algorithm>
#include <array>
#include <attn/plot/layout.hpp>
#include <attn/plot/panel.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

namespace detail {

// M. Okabe and K. Ito, "Color Universal Design", 2008: told apart by everyone; the yellow is too
// light on paper and left out.
inline constexpr std::array<std::uint32_t, 7> curve_colors{0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                                           0xe69f00, 0x56b4e9, 0x000000};

inline Color color_of(const Curves& plot, std::size_t i) {
  return plot.curves[i].color.value_or(rgb(curve_colors[i % curve_colors.size()]));
}

inline int base_of(Scale scale) { return scale == Scale::log2 ? 2 : 10; }
inline double along(Scale scale, double v) {
  return scale == Scale::linear ? v
         : v > 0                ? std::log10(v)
                                : std::numeric_limits<double>::quiet_NaN();
}

/// The range of an axis: as asked for, or that of the values with a twentieth of room at each end.
inline Range axis_range(const Axis& axis, const std::vector<Curve>& curves,
                        std::vector<double> Curve::*values) {
  if (axis.range) {
    if (!(axis.range->low < axis.range->high) ||
        !std::isfinite(axis.range->high - axis.range->low) ||
        (axis.scale != Scale::linear && axis.range->low <= 0))
      throw OptionError("Curves: axis range [" + std::to_string(axis.range->low) + ", " +
                        std::to_string(axis.range->high) +
                        "] must be finite, ascending, and above 0 on a logarithmic axis");
    return *axis.range;
  }
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& curve : curves)
    for (const double v : curve.*values)
      if (const double at = along(axis.scale, v); std::isfinite(at))
        low = std::min(low, at), high = std::max(high, at);
  if (low > high) low = 0, high = 1;
  double room = high / 20 - low / 20;
  if (!(room > std::max(std::abs(low), std::abs(high)) * 1e-9))
    room = low == 0 || axis.scale != Scale::linear ? 0.5 : std::abs(low) / 10;
  const double most = std::numeric_limits<double>::max() / 2;
  low = std::clamp(low - room, -most, most), high = std::clamp(high + room, -most, most);
  return axis.scale == Scale::linear
             ? Range{low, high}
             : Range{std::max(std::pow(10, low), 1e-300), std::min(std::pow(10, high), 1e300)};
}

inline double axis_share(const Axis& axis, const Range& range, double v) {
  return share_of({along(axis.scale, range.low), along(axis.scale, range.high)},
                  along(axis.scale, v));
}

inline std::vector<Tick> axis_ticks(const Axis& axis, const Range& range, int count) {
  return axis.scale == Scale::linear ? linear_ticks(range, count)
                                     : log_ticks(range, base_of(axis.scale), count);
}

/// Ink of a line from a to b, `width` pixels thick: each pixel by its distance from the line.
inline void draw_line(Coverage& mask, double ax, double ay, double bx, double by, double width) {
  const double dx = bx - ax, dy = by - ay, reach = width / 2 + 1;
  double enter = 0, leave = 1;  // the part of the line that can touch the mask
  const auto clip = [&](double start, double step, double low, double high) {
    if (step == 0) {
      if (start < low || start > high) leave = -1;
      return;
    }
    const double first = (low - start) / step, last = (high - start) / step;
    enter = std::max(enter, std::min(first, last)), leave = std::min(leave, std::max(first, last));
  };
  clip(ax, dx, -reach, mask.width + reach), clip(ay, dy, -reach, mask.height + reach);
  if (!(enter <= leave)) return;
  const double x0 = ax + enter * dx, y0 = ay + enter * dy, x1 = ax + leave * dx,
               y1 = ay + leave * dy;
  const double px = x1 - x0, py = y1 - y0, square = px * px + py * py;
  const bool steep = std::abs(py) > std::abs(px);
  const double begin = steep ? std::min(y0, y1) : std::min(x0, x1),
               end = steep ? std::max(y0, y1) : std::max(x0, x1);
  const double slant = steep ? px / (py == 0 ? 1 : py) : py / (px == 0 ? 1 : px);
  for (int u = static_cast<int>(std::floor(begin - reach));
       u <= static_cast<int>(std::ceil(end + reach)); ++u) {
    const double centre = (steep ? x0 : y0) + (u + 0.5 - (steep ? y0 : x0)) * slant,
                 half = reach * 1.5 + 1;
    for (int v = static_cast<int>(std::floor(centre - half));
         v <= static_cast<int>(std::ceil(centre + half)); ++v) {
      const double x = (steep ? v : u) + 0.5, y = (steep ? u : v) + 0.5;
      const double share =
          square > 0 ? std::clamp(((x - x0) * px + (y - y0) * py) / square, 0.0, 1.0) : 0;
      const double cover = std::clamp(
          width / 2 + 0.5 - std::hypot(x - x0 - share * px, y - y0 - share * py), 0.0, 1.0);
      mask.ink(steep ? v : u, steep ? u : v, static_cast<std::uint8_t>(std::lround(255 * cover)));
    }
  }
}

}  // namespace detail

/// Where the frame, its ticks and grid, the titles and the legend (right of the frame) go; the
/// frame's corner is (0, 0).
inline PanelLayout lay_out(const Curves& plot, const Font& font, double scale) {
  for (const Curve& curve : plot.curves)
    if (curve.x.size() != curve.y.size())
      throw ShapeError("Curves: curve \"" + curve.name + "\" must have as many x as y, but has " +
                       std::to_string(curve.x.size()) + " and " + std::to_string(curve.y.size()));
  Draft draft{font, scale};
  const Rect frame = draft.panel.frame = {0, 0, draft.px(420), draft.px(300)};
  const double size = points::label * scale;
  const int line = draft.px(points::line);
  const Range x_range = detail::axis_range(plot.x, plot.curves, &Curve::x),
              y_range = detail::axis_range(plot.y, plot.curves, &Curve::y);

  int last = -frame.width;  // the right end of the label before
  for (const Tick& tick : detail::axis_ticks(plot.x, x_range, 8)) {
    const int at = static_cast<int>(
        std::lround(detail::axis_share(plot.x, x_range, tick.value) * (frame.width - 1)));
    const Rect label = draft.box(tick.label, size, at, 0, 0.5, 0);
    const bool shown = !tick.label.empty() && label.x > last + draft.px(points::gap);
    if (shown)
      draft.stroke({at - line / 2, 0, line, frame.height}, ink::grid), last = label.right();
    draft.tick_below(frame, at, shown ? tick.label : "", size, false,
                     tick.label.empty() ? points::tick / 2 : points::tick);
  }
  last = 2 * frame.height;  // the top of the label before
  for (const Tick& tick : detail::axis_ticks(plot.y, y_range, 6)) {
    const int at = static_cast<int>(
        std::lround((1 - detail::axis_share(plot.y, y_range, tick.value)) * (frame.height - 1)));
    const Rect label = draft.box(tick.label, size, 0, at, 0, 0.5);
    const bool shown = !tick.label.empty() && label.bottom() < last;
    if (shown) draft.stroke({0, at - line / 2, frame.width, line}, ink::grid), last = label.y;
    draft.tick_left(frame, at, shown ? tick.label : "", size,
                    tick.label.empty() ? points::tick / 2 : points::tick);
  }
  draft.outline(frame);
  draft.axis_titles(plot.x.title, plot.y.title);
  draft.title(plot.title);

  int top = 0;
  const int left = draft.panel.bounds().right() + draft.px(12), sample = draft.px(20);
  for (std::size_t i = 0; i < plot.curves.size(); ++i) {
    if (plot.curves[i].name.empty()) continue;
    const int thick = draft.px(2), middle = top + font.height(size) / 2;
    draft.stroke({left, middle - thick / 2, sample, thick}, detail::color_of(plot, i));
    draft.text(font.shorten(plot.curves[i].name, size, draft.px(220)), size,
               left + sample + draft.px(points::gap), top, 0, 0);
    top += font.height(size) + draft.px(3);
  }
  return std::move(draft.panel);
}

/// Draws the curves into the frame, anti-aliased, the first one lowest.
inline void draw(const Curves& plot, const PanelLayout& layout, double scale, Image& image) {
  const Range x_range = detail::axis_range(plot.x, plot.curves, &Curve::x),
              y_range = detail::axis_range(plot.y, plot.curves, &Curve::y);
  for (std::size_t i = 0; i < plot.curves.size(); ++i) {
    const Curve& curve = plot.curves[i];
    Coverage mask{layout.frame.width, layout.frame.height};
    const auto x = [&](std::size_t k) {
      return detail::axis_share(plot.x, x_range, curve.x[k]) * (mask.width - 1) + 0.5;
    };
    const auto y = [&](std::size_t k) {
      return (1 - detail::axis_share(plot.y, y_range, curve.y[k])) * (mask.height - 1) + 0.5;
    };
    const auto known = [&](std::size_t k) { return std::isfinite(x(k)) && std::isfinite(y(k)); };
    for (std::size_t k = 0; k < curve.x.size(); ++k) {
      if (!known(k)) continue;
      const bool alone = (k == 0 || !known(k - 1)) && (k + 1 == curve.x.size() || !known(k + 1));
      if (k > 0 && known(k - 1))
        detail::draw_line(mask, x(k - 1), y(k - 1), x(k), y(k), 1.6 * scale);
      if (curve.markers || alone) detail::draw_line(mask, x(k), y(k), x(k), y(k), 5 * scale);
    }
    image.stamp(mask, layout.frame.x, layout.frame.y, detail::color_of(plot, i));
  }
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
