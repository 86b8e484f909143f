#pragma once

#include <algorithm>
#include <array>
#include <attn/plot/layout.hpp>
#include <attn/plot/line.hpp>
#include <attn/plot/panel.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

// By M. Okabe and K. Ito, "Color Universal Design", 2008: everyone can tell these colors apart. The
// yellow, which is too light on white paper, is left out.
inline constexpr std::array<std::uint32_t, 7> curve_colors{0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                                           0xe69f00, 0x56b4e9, 0x000000};

inline Color color_of(const Curves& plot, std::size_t i) {
  return plot.curves[i].color.value_or(rgb(curve_colors[i % curve_colors.size()]));
}

/// A value as the axis measures it; NaN where a logarithmic axis has no place for it.
inline double on_scale(Scale scale, double v) {
  if (scale == Scale::linear) return v;
  return v > 0 ? std::log10(v) : std::numeric_limits<double>::quiet_NaN();
}

inline void require_range(const Range& range, Scale scale) {
  const bool is_ascending = range.low < range.high && std::isfinite(range.high - range.low);
  if (!is_ascending || (scale != Scale::linear && range.low <= 0))
    throw OptionError("Curves: axis range [" + std::to_string(range.low) + ", " +
                      std::to_string(range.high) +
                      "] must be finite, ascending, and above 0 on a logarithmic axis");
}

/// The range of the values on the scale of an axis, or [0, 1] without any.
inline Range values_range(Scale scale, const std::vector<Curve>& curves,
                          std::vector<double> Curve::*values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& curve : curves)
    for (const double v : curve.*values)
      if (const double at = on_scale(scale, v); std::isfinite(at)) {
        low = std::min(low, at);
        high = std::max(high, at);
      }
  return low > high ? Range{0, 1} : Range{low, high};
}

/// The range of an axis: the one that is asked for, or that of the values with a margin of a
/// twentieth at each end.
inline Range axis_range(const Axis& axis, const std::vector<Curve>& curves,
                        std::vector<double> Curve::*values) {
  if (axis.range) {
    require_range(*axis.range, axis.scale);
    return *axis.range;
  }
  const auto [low, high] = values_range(axis.scale, curves, values);
  double margin = high / 20 - low / 20;
  if (!(margin > std::max(std::abs(low), std::abs(high)) * 1e-9))
    margin = low == 0 || axis.scale != Scale::linear ? 0.5 : std::abs(low) / 10;
  const double most = std::numeric_limits<double>::max() / 2;
  const Range range{std::clamp(low - margin, -most, most), std::clamp(high + margin, -most, most)};
  if (axis.scale == Scale::linear) return range;
  return {std::max(std::pow(10, range.low), 1e-300), std::min(std::pow(10, range.high), 1e300)};
}

/// The position of v on an axis, 0 to 1 within its range.
inline double axis_fraction(const Axis& axis, const Range& range, double v) {
  return fraction_of({on_scale(axis.scale, range.low), on_scale(axis.scale, range.high)},
                     on_scale(axis.scale, v));
}

inline std::vector<Tick> axis_ticks(const Axis& axis, const Range& range, int count) {
  if (axis.scale == Scale::linear) return linear_ticks(range, count);
  return log_ticks(range, axis.scale == Scale::log2 ? 2 : 10, count);
}

inline double tick_length(const Tick& tick) {
  return tick.label.empty() ? points::tick / 2 : points::tick;
}

/// Ticks and grid lines of the x axis. A label that would meet the one before it is left out.
inline void place_x_ticks(Draft& draft, const Axis& axis, const Range& range) {
  const Rect frame = draft.panel.frame;
  const double size = points::label * draft.scale;
  const int line = draft.px(points::line);
  int last = -frame.width;  // the right end of the previous label
  for (const Tick& tick : axis_ticks(axis, range, 8)) {
    const int at =
        static_cast<int>(std::lround(axis_fraction(axis, range, tick.value) * (frame.width - 1)));
    const Rect label = draft.box({tick.label, size}, {at, 0, 0.5, 0});
    const bool is_shown = !tick.label.empty() && label.x > last + draft.px(points::gap);
    if (is_shown) {
      draft.stroke({at - line / 2, 0, line, frame.height}, ink::grid);
      last = label.right();
    }
    draft.tick_below(frame, at, {is_shown ? tick.label : "", size}, tick_length(tick));
  }
}

/// Ticks and grid lines of the y axis. A label that would meet the one before it is left out.
inline void place_y_ticks(Draft& draft, const Axis& axis, const Range& range) {
  const Rect frame = draft.panel.frame;
  const double size = points::label * draft.scale;
  const int line = draft.px(points::line);
  int last = 2 * frame.height;  // the top of the previous label
  for (const Tick& tick : axis_ticks(axis, range, 6)) {
    const int at = static_cast<int>(
        std::lround((1 - axis_fraction(axis, range, tick.value)) * (frame.height - 1)));
    const Rect label = draft.box({tick.label, size}, {0, at, 0, 0.5});
    const bool is_shown = !tick.label.empty() && label.bottom() < last;
    if (is_shown) {
      draft.stroke({0, at - line / 2, frame.width, line}, ink::grid);
      last = label.y;
    }
    draft.tick_left(frame, at, {is_shown ? tick.label : "", size}, tick_length(tick));
  }
}

/// The names of the curves, each with a sample of its color, right of all that has been placed.
inline void place_legend(Draft& draft, const Curves& plot) {
  const double size = points::label * draft.scale;
  const int left = draft.panel.bounds().right() + draft.px(12);
  const int sample = draft.px(20);
  const int thickness = draft.px(2);
  const int height = draft.font.height(size);
  int top = 0;
  for (std::size_t i = 0; i < plot.curves.size(); ++i) {
    if (plot.curves[i].name.empty()) continue;
    draft.stroke({left, top + height / 2 - thickness / 2, sample, thickness}, color_of(plot, i));
    draft.place({draft.font.shorten(plot.curves[i].name, size, draft.px(220)), size},
                {left + sample + draft.px(points::gap), top});
    top += height + draft.px(3);
  }
}

/// The positions of the frame, whose corner is (0, 0), of its ticks and grid, of the titles and of
/// the legend.
inline PanelLayout lay_out(const Curves& plot, const Font& font, double scale) {
  for (const Curve& curve : plot.curves)
    if (curve.x.size() != curve.y.size())
      throw ShapeError("Curves: curve \"" + curve.name + "\" must have as many x as y, but has " +
                       std::to_string(curve.x.size()) + " and " + std::to_string(curve.y.size()));
  Draft draft{font, scale};
  draft.panel.frame = {0, 0, draft.px(420), draft.px(300)};
  const Range x_range = axis_range(plot.x, plot.curves, &Curve::x);
  const Range y_range = axis_range(plot.y, plot.curves, &Curve::y);
  place_x_ticks(draft, plot.x, x_range);
  place_y_ticks(draft, plot.y, y_range);
  draft.outline(draft.panel.frame);
  draft.axis_titles(plot.x.title, plot.y.title);
  draft.title(plot.title);
  place_legend(draft, plot);
  return std::move(draft.panel);
}

/// The points of a curve joined by lines. A point between two that are missing is a dot.
inline void draw_curve(Coverage& mask, const std::vector<Point>& line, bool markers, double scale) {
  const auto is_known = [&](std::size_t k) {
    return k < line.size() && std::isfinite(line[k].x) && std::isfinite(line[k].y);
  };
  for (std::size_t k = 0; k < line.size(); ++k) {
    if (!is_known(k)) continue;
    const bool is_joined = k > 0 && is_known(k - 1);
    if (is_joined) draw_line(mask, line[k - 1], line[k], 1.6 * scale);
    if (markers || (!is_joined && !is_known(k + 1))) draw_line(mask, line[k], line[k], 5 * scale);
  }
}

/// Draws the curves into the frame; each covers those before it.
inline void draw(const Curves& plot, const PanelLayout& layout, double scale, Image& image) {
  const Range x_range = axis_range(plot.x, plot.curves, &Curve::x);
  const Range y_range = axis_range(plot.y, plot.curves, &Curve::y);
  const Rect& frame = layout.frame;
  for (std::size_t i = 0; i < plot.curves.size(); ++i) {
    const Curve& curve = plot.curves[i];
    std::vector<Point> line;
    for (std::size_t k = 0; k < curve.x.size(); ++k)
      line.push_back({axis_fraction(plot.x, x_range, curve.x[k]) * (frame.width - 1) + 0.5,
                      (1 - axis_fraction(plot.y, y_range, curve.y[k])) * (frame.height - 1) + 0.5});
    Coverage mask{frame.width, frame.height};
    draw_curve(mask, line, curve.markers, scale);
    image.stamp(mask, frame.x, frame.y, color_of(plot, i));
  }
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
