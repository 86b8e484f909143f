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

/// The values of a heat map, in double. They convert from any real Eigen expression and from a
/// tensor or view of two axes.
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

/// A matrix as colored cells, row 0 at the top, beside a color bar. There is one label for each row
/// or column; an axis without labels counts from 0. NaN is gray, and an infinity has the color of
/// its end of the range. `range` is the range of the colors: by default that of the finite values,
/// and with `coolwarm` symmetric about 0.
/// Errors, when the figure is drawn: ShapeError without values, or if there are not as many labels
/// as rows or columns.
struct HeatMap {
  Values values{};
  std::string title{};
  std::vector<std::string> row_labels{}, column_labels{};
  std::string row_title{}, column_title{};
  ColorMap color_map = ColorMap::viridis;
  std::optional<Range> range{};
};

/// Points (x, y), connected in order by lines. The line is interrupted at a point that is not
/// finite, or not positive on a logarithmic axis.
struct Curve {
  std::string name{};  ///< shown in the legend, if not empty
  std::vector<double> x{}, y{};
  std::optional<Color> color{};
  bool markers = false;  ///< whether each point has a dot
};

enum class Scale { linear, log10, log2 };

struct Axis {
  std::string title{};
  Scale scale = Scale::linear;
  std::optional<Range> range{};  ///< by default that of the values, with a margin
};

/// Curves over common axes.
/// Errors, when the figure is drawn: ShapeError if a curve does not have as many x as y,
/// OptionError if a range is not ascending, or not positive on a logarithmic axis.
struct Curves {
  std::string title{};
  Axis x{}, y{};
  std::vector<Curve> curves{};
};

using Panel = std::variant<HeatMap, Curves>;

namespace detail {

/// The range of the colors of a heat map. A single value v gives the range from 0 to v.
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

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
