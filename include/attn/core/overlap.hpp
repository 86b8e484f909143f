#pragma once

#include <attn/core/tensor_view.hpp>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The first byte of a view and the byte after its last one, as addresses.
struct AddressRange {
  std::uintptr_t begin = 0, end = 0;
};
template <class T, int N>
AddressRange address_range(const TensorView<T, N>& view) {
  if (view.size() == 0) return {};
  Index first = 0, last = 0;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(N); ++axis) {
    const Index reach = (view.shape()[axis] - 1) * view.strides()[axis];
    (reach < 0 ? first : last) += reach;
  }
  return {reinterpret_cast<std::uintptr_t>(view.data() + first),
          reinterpret_cast<std::uintptr_t>(view.data() + last + 1)};
}

/// Whether the address ranges that two views span intersect. An empty view overlaps nothing.
template <class T, int N, class U, int M>
bool overlap(const TensorView<T, N>& a, const TensorView<U, M>& b) {
  const AddressRange x = address_range(a), y = address_range(b);
  return x.begin < y.end && y.begin < x.end;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
