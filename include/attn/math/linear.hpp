#pragma once

#include <attn/gemm/product.hpp>
#include <attn/math/rows.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// y = x Wᵀ + b for every row x: (…, in), Wᵀ packed, b (out) or none, give (…, out). Rows and
/// columns are computed in parallel; what a row gets does not depend on how many there are. Errors:
/// ShapeError if W does not take rows of x's width.
template <class T, int N>
Tensor<T, N> linear(const TensorView<const T, N>& x, const PackedMatrix<T>& weight,
                    const std::type_identity_t<std::optional<TensorView<const T, 1>>>& bias) {
  Shape<N> shape = x.shape();
  if (shape.back() != weight.rows())
    throw ShapeError("Linear: input " + to_string(x.shape()) + " must have in_features = " +
                     std::to_string(weight.rows()) + " on its last axis");
  shape.back() = weight.columns();
  const auto X = x.even_rows();
  if (!X) {
    const Tensor<T, N> copy = x.copy();
    return linear(copy.view(), weight, bias);
  }
  Tensor<T, N> y = Tensor<T, N>::for_overwrite(shape);
  parallel_multiply<T>(LeftFactor<T>{X->data(), X->outerStride(), 1}, X->rows(), weight,
                       {bias ? bias->data() : nullptr, 0}, {y.data(), shape.back()});
  return y;
}
/// The same with W (out, in) as it is, packed for this call.
template <class T, int N>
Tensor<T, N> linear(const TensorView<const T, N>& x, const TensorView<const T, 2>& weight,
                    const std::type_identity_t<std::optional<TensorView<const T, 1>>>& bias) {
  return linear(x, PackedMatrix<T>::parallel_transposed(weight), bias);
}

/// dx = dy W
template <class T, int N>
Tensor<T, N> linear_backward_input(const Tensor<T, N>& dy, const TensorView<const T, 2>& weight) {
  Shape<N> shape = dy.shape();
  const Index out = weight.shape()[0], in = weight.shape()[1];
  shape.back() = in;
  auto dx = Tensor<T, N>::for_overwrite(shape);
  parallel_multiply<T>({dy.data(), out, 1}, in > 0 ? dx.size() / in : 0,
                       PackedMatrix<T>::parallel(weight.matrix()), {}, {dx.data(), in});
  return dx;
}
/// dW ← dyᵀ x, or where it is added to, dW ← dW + dyᵀ x. dW's rows lie one after the other.
template <class T, int N>
void linear_backward_weight(const Tensor<T, N>& dy, const Tensor<T, N>& x, bool add,
                            const TensorView<T, 2>& d_weight) {
  const Index out = d_weight.shape()[0], in = d_weight.shape()[1],
              rows = out > 0 ? dy.size() / out : 0;
  const Buffer<T> dy_transposed = parallel_transpose(dy.data(), rows, out);
  parallel_multiply<T>({dy_transposed.data(), rows, 1}, out, PackedMatrix<T>::parallel(x.as_rows()),
                       {add ? d_weight.data() : nullptr, in}, {d_weight.data(), in});
}
/// db ← db + Σ dy over the rows.
template <class T, int N>
void linear_backward_bias(const Tensor<T, N>& dy, const TensorView<T, 1>& d_bias) {
  const Index out = d_bias.size();
  d_bias.flat() +=
      sum_over_rows<T>(out > 0 ? dy.size() / out : 0, out, [&](Index r, T* sums) {
        simd::for_each_packet<T>(out, [&](Index i, Index n) {
          add_to<T>(sums + i, n, simd::load<simd::Vector<T>>(dy.data() + r * out + i, n, T(0)));
        });
      }).flat();
}

}  // namespace ATTN_ABI
}  // namespace attn
