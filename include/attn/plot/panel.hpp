#pragma once

#include <attn/core/tensor.hpp>
#include <attn/plot/color.hpp>
#include <attn/plot/ticks.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// A matrix to be shown, in double: made from any real Eigen expression, tensor or view of two
/// axes.
struct Values : Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> {
  using Array = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  Values() = default;
  template <class Derived>
  Values(const Eigen::DenseBase<Derived>& dense) : Array(dense.derived().template cast<double>()) {}
  template <class T>
  Values(const TensorView<T, 2>& view) : Array(view.matrix().template cast<double>()) {}
  template <class T>
  Values(const Tensor<T, 2>& tensor) : Values(tensor.view()) {}
};

/// A matrix as coloured cells, row 0 at the top, beside a colour bar. Labels are one for each row
/// or column; without them the axis counts from 0. NaN is grey, an infinity has the colour of its
/// end.
/// `range` is what the colours span: by default the finite values, and with `coolwarm` evenly on
/// both sides of 0.
/// Errors, when laid out: ShapeError without values, or where labels are not as many as rows or
/// columns.
struct HeatMap {
  Values values{};
  std::string title{};
  std::vector<std::string> row_labels{}, column_labels{};
  std::string row_title{}, column_title{};
  ColorMap color_map = ColorMap::viridis;
  std::optional<Range> range{};
};

/// Points (x, y) in order, joined by a line; one that is not finite, or not above 0 on a
/// logarithmic axis, leaves a gap.
struct Curve {
  std::string name{};  ///< in the legend, if not empty
  std::vector<double> x{}, y{};
  std::optional<Color> color{};
  bool markers = false;  ///< a dot on each point
};

enum class Scale { linear, log10, log2 };

struct Axis {
  std::string title{};
  Scale scale = Scale::linear;
  std::optional<Range> range{};  ///< by default the values, and a little room
};

/// Curves over common axes. Errors, when laid out: ShapeError where a curve has not as many x as y,
/// OptionError where a range is not ascending, or not above 0 on a logarithmic axis.
struct Curves {
  std::string title{};
  Axis x{}, y{};
  std::vector<Curve> curves{};
};

using Panel = std::variant<HeatMap, Curves>;

/// What the colours of a heat map span. A single value v spans 0 to v, so that the map has a colour
/// to show.
inline Range color_range(const HeatMap& map) {
  if (map.range) {
    if (!(map.range->low < map.range->high) || !std::isfinite(map.range->low) ||
        !std::isfinite(map.range->high))
      throw OptionError("HeatMap: range [" + std::to_string(map.range->low) + ", " +
                        std::to_string(map.range->high) + "] must be finite and ascending");
    return *map.range;
  }
  std::optional<Range> found;
  for (Index i = 0; i < map.values.size(); ++i)
    if (const double v = map.values.data()[i]; std::isfinite(v))
      found = found ? Range{std::min(found->low, v), std::max(found->high, v)} : Range{v, v};
  Range range = found.value_or(Range{0, 1});
  if (map.color_map == ColorMap::coolwarm) {
    const double most = std::max(std::abs(range.low), std::abs(range.high));
    return most > 0 ? Range{-most, most} : Range{-1, 1};
  }
  if (range.low == range.high)
    range = range.low < 0 ? Range{range.low, 0} : Range{0, range.high > 0 ? range.high : 1};
  return range;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
