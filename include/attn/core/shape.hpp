#pragma once

#include <array>
#include <attn/core/error.hpp>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace attn {
inline namespace ATTN_ABI {

/// The extents of N axes, outermost first.
template <int N>
using Shape = std::array<Index, static_cast<std::size_t>(N)>;

/// A shape as errors and tables print it: "(2, 8, 16, 64)".
inline std::string to_string(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

/// The number of elements of a tensor: the product of its extents.
/// Errors: ShapeError if an extent is negative, or if `element_size` times the product of the
/// extents other than 0 does not fit an Index (the strides must fit, too).
inline Index checked_size(std::span<const Index> shape, Index element_size = 1) {
  Index size = 1;
  Index largest = std::numeric_limits<Index>::max() / element_size;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0)
      throw ShapeError("Tensor: shape " + to_string(shape) + " must have no negative extent");
    if (extent > largest)
      throw ShapeError("Tensor: shape " + to_string(shape) +
                       " has more elements than this machine can address");
    if (extent == 0) {
      empty = true;
    } else {
      size *= extent;
      largest /= extent;
    }
  }
  return empty ? 0 : size;
}

namespace detail {

/// The strides of a contiguous row-major block, in elements.
template <std::size_t N>
constexpr std::array<Index, N> row_major_strides(const std::array<Index, N>& shape) {
  std::array<Index, N> strides{};
  Index stride = 1;
  for (std::size_t axis = N; axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
