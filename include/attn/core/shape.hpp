#pragma once

#include <array>
#include <attn/core/error.hpp>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace attn {
inline namespace ATTN_ABI {

/// Extents of N axes, outermost first.
template <int N>
using Shape = std::array<Index, static_cast<std::size_t>(N)>;

/// "(2, 8, 16, 64)", as errors and tables print it.
inline std::string to_string(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

/// Number of elements: the product of the extents, each at least 0.
/// Throws ShapeError if an extent is negative or if `element_size` times the product does not fit
/// an Index.
inline Index checked_size(std::span<const Index> shape, Index element_size = 1) {
  Index size = 1, room = std::numeric_limits<Index>::max() / element_size;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0)
      throw ShapeError("Tensor: shape " + to_string(shape) + " must have no negative extent");
    if (extent > room)
      throw ShapeError("Tensor: shape " + to_string(shape) +
                       " has more elements than 64 bits can address");
    if (extent == 0) empty = true;
    else
      size *= extent,
          room /= extent;  // an extent of 0 excuses no other: the strides must fit as well
  }
  return empty ? 0 : size;
}

/// Distances between neighbours along each axis of a row-major block, in elements.
template <std::size_t N>
constexpr std::array<Index, N> row_major_strides(const std::array<Index, N>& shape) {
  std::array<Index, N> strides{};
  Index step = 1;
  for (std::size_t axis = N; axis-- > 0;) strides[axis] = step, step *= shape[axis];
  return strides;
}

}  // namespace ATTN_ABI
}  // namespace attn
