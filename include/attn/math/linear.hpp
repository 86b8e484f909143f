#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/gemm/transpose.hpp>
#include <attn/gemm/weight_factor.hpp>
#include <attn/math/rows.hpp>
#include <optional>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

/// y = x Wᵀ + b for every row x: (…, in) to (…, out), with W (out, in) and b (out), or without b.
/// dx = dy W   dW = dyᵀ x   db = Σ dy over the rows
/// Rows and columns are computed in parallel; the result for a row does not depend on the number of
/// rows. Errors: ShapeError if x's last axis is not W's second.
struct LinearMap {
  /// With Wᵀ as products read it.
  template <class X, class T>
    requires detail::is_tensor<X>
  Tensor<T, X::axes> forward(const X& x, const WeightFactor<T>& weight,
                             const std::optional<TensorView<const T, 1>>& bias) const {
    return std::move(forward_each(x, std::tie(weight, bias))[0]);
  }
  /// For each of some weights and biases, all in one parallel loop.
  template <class X, class... Layer, class T = std::remove_const_t<typename X::Scalar>>
    requires detail::is_tensor<X>
  std::array<Tensor<T, X::axes>, sizeof...(Layer)> forward_each(const X& x,
                                                                const Layer&... layers) const {
    constexpr int N = X::axes;
    const TensorView<const T, N> input = view(x);
    const auto rows = detail::with_leading_axes<std::max(N, 2)>(input).even_rows();
    if (!rows) return forward_each(input.copy(), layers...);
    std::array y{output<T, N>(input.shape(), std::get<0>(layers))...};
    const auto product = [&](Tensor<T, N>& to, const WeightFactor<T>& weight,
                             const std::optional<TensorView<const T, 1>>& bias) {
      return ProductWith<T, WeightFactor<T>>{
          weight, {bias ? bias->data() : nullptr, 0}, {to.data(), weight.columns()}};
    };
    auto* to = y.data();
    const std::array products{product(*to++, std::get<0>(layers), std::get<1>(layers))...};
    parallel_multiply<T>(LeftFactor<T>{rows->data(), rows->outerStride(), 1}, rows->rows(),
                         products);
    return y;
  }
  /// With W as it is, packed in parallel for this call.
  template <class X, class T>
    requires detail::is_tensor<X>
  Tensor<T, X::axes> forward(const X& x, const TensorView<const T, 2>& weight,
                             const std::optional<TensorView<const T, 1>>& bias) const {
    const auto packed = PackedMatrix<T>::parallel_transposed(weight);
    return forward(x, WeightFactor<T>(packed), bias);
  }

  /// x is kept only if W needs a gradient.
  template <class T, int N, class B>
  auto forward(const Recording&, const Input<T, N>& x, const InputRows<T, 2>& weight,
               const std::optional<B>& bias) const {
    std::optional<TensorView<const T, 1>> b;
    if (bias) b = view(bias->value());
    const auto kept_x = weight.needs_gradient() ? x.shared_value() : nullptr;
    return OutputAndSaved{forward(x.value(), weight.value(), b), std::pair(kept_x, weight.value())};
  }
  template <class T, int N, class B>
  void backward(const Tensor<T, N>& dy,
                const std::pair<std::shared_ptr<const Tensor<T, N>>, TensorView<const T, 2>>& saved,
                const Input<T, N>& x, const InputRows<T, 2>& weight, const B& bias) const {
    const auto& [kept_x, W] = saved;
    if (weight.needs_gradient()) backward_weight(dy, *kept_x, weight.target());
    if (bias && bias->needs_gradient()) backward_bias(dy, bias->sum());
    if (x.needs_gradient()) x.add(backward_input(dy, W));
  }

 private:
  template <class T, int N>
  static Tensor<T, N> output(Shape<N> shape, const WeightFactor<T>& weight) {
    if (shape.back() != weight.rows())
      throw ShapeError("Linear: input " + to_string(shape) + " must have in_features = " +
                       std::to_string(weight.rows()) + " on its last axis");
    shape.back() = weight.columns();
    return Tensor<T, N>::for_overwrite(shape);
  }
  /// dx = dy W
  template <class T, int N>
  static Tensor<T, N> backward_input(const Tensor<T, N>& dy, const TensorView<const T, 2>& W) {
    const auto [out, in] = W.shape();
    Shape<N> shape = dy.shape();
    shape.back() = in;
    auto dx = Tensor<T, N>::for_overwrite(shape);
    parallel_multiply<T>({dy.data(), out, 1}, in > 0 ? dx.size() / in : 0,
                         PackedMatrix<T>::parallel(W.matrix()), {}, {dx.data(), in});
    return dx;
  }
  /// dW = dyᵀ x, or dW += dyᵀ x
  template <class T, int N>
  static void backward_weight(const Tensor<T, N>& dy, const Tensor<T, N>& x,
                              const GradientTarget<T, 2>& dW) {
    const auto [out, in] = dW.to.shape();
    const Index rows = out > 0 ? dy.size() / out : 0;
    const Buffer<T> dy_transposed = parallel_transpose(dy.data(), rows, out);
    parallel_multiply<T>(
        {dy_transposed.data(), rows, 1}, out,
        PackedMatrix<T>::parallel(detail::with_leading_axes<std::max(N, 2)>(x.view()).as_rows()),
        {dW.add ? dW.to.data() : nullptr, in}, {dW.to.data(), in});
  }
  /// db += Σ dy over the rows
  template <class T, int N>
  static void backward_bias(const Tensor<T, N>& dy, const TensorView<T, 1>& db) {
    const Index out = db.size();
    const auto add_row = [&](Index r, T* sums) {
      ATTN_DISPATCH(add_row<T>(sums, dy.data() + r * out, out));
    };
    db.flat() += detail::sum_over_rows<T>(out > 0 ? dy.size() / out : 0, out, add_row).flat();
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
