#pragma once

#include <attn/core/tensor_view.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// (B, L, H·E) as H heads (B, H, L, E), in place.
template <class T>
TensorView<T, 4> split_heads(const TensorView<T, 3>& x, Index heads) {
  const Index E = heads > 0 ? x.shape()[2] / heads : 0;
  return {x.data(), {x.shape()[0], heads, x.shape()[1], E}, {x.strides()[0], E, x.strides()[1], 1}};
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
