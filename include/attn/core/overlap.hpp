#pragma once

#include <attn/core/tensor_view.hpp>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The addresses from the first to the end of the last element of a view, none of an empty view.
struct AddressRange {
  std::uintptr_t begin = 0, end = 0;
};
template <class T, int N>
AddressRange addresses(const TensorView<T, N>& view) {
  if (view.size() == 0) return {};
  Index first = 0, last = 0;
  for (std::size_t axis = 0; axis < view.shape().size(); ++axis) {
    const Index distance = (view.shape()[axis] - 1) * view.strides()[axis];
    (distance < 0 ? first : last) += distance;
  }
  return {reinterpret_cast<std::uintptr_t>(view.data() + first),
          reinterpret_cast<std::uintptr_t>(view.data() + last + 1)};
}

/// Whether the address ranges of two views intersect, whatever their strides. An empty view
/// overlaps nothing. Two views that interleave without sharing an element overlap too, such as two
/// heads of one projection.
template <class T, int N, class U, int M>
bool overlap(const TensorView<T, N>& a, const TensorView<U, M>& b) {
  const AddressRange x = addresses(a), y = addresses(b);
  return x.begin < y.end && y.begin < x.end;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
