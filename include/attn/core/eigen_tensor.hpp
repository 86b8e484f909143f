#pragma once

#include <attn/core/tensor.hpp>
#include <unsupported/Eigen/CXX11/Tensor>

namespace attn {
inline namespace ATTN_ABI {

/// A tensor as an Eigen::TensorMap of the same memory: `tensor_map(q).shuffle(…)`. This header is
/// not part of `attn.hpp`, because Eigen's tensors are unsupported, and large to compile.
/// Errors: ShapeError if a view is not contiguous.
template <class T, int N>
auto tensor_map(const TensorView<T, N>& tensor) {
  using Plain = Eigen::Tensor<std::remove_const_t<T>, N, Eigen::RowMajor>;
  if (!tensor.is_contiguous())
    throw ShapeError("tensor_map: a view must be contiguous, but " + to_string(tensor.shape()) +
                     " has strides " + to_string(tensor.strides()));
  return Eigen::TensorMap<std::conditional_t<std::is_const_v<T>, const Plain, Plain>>(
      tensor.data(), tensor.shape());
}
template <class T, int N>
auto tensor_map(Tensor<T, N>& tensor) {
  return tensor_map(tensor.view());
}
template <class T, int N>
auto tensor_map(const Tensor<T, N>& tensor) {
  return tensor_map(tensor.view());
}

}  // namespace ATTN_ABI
}  // namespace attn
