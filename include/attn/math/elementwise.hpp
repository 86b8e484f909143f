#pragma once

#include <attn/core/tensor.hpp>
#include <attn/parallel/executor.hpp>
#include <attn/simd/simd.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// x_i ← f(x_i) for a whole tensor, a vector at once, in parallel where there is much to do;
/// further operands of the same shape are handed on: f(x_i, y_i). What an element becomes does not
/// depend on where it lies. A tensor that is given up is changed in place.
template <class T, int N, class F, class... Others>
Tensor<T, N> map_elements(Tensor<T, N> x, F&& f, const Others&... others) {
  using V = simd::Vector<T>;
  constexpr Index part = 16384;
  [[maybe_unused]] const auto expect = [&](const Shape<N>& shape) {
    if (shape != x.shape())
      throw ShapeError("operands " + to_string(x.shape()) + " and " + to_string(shape) +
                       " must have the same shape");
  };
  (expect(others.shape()), ...);
  parallel_for((x.size() + part - 1) / part, [&](Index p) {
    const Index begin = p * part, count = std::min(part, x.size() - begin);
    T* const to = x.data() + begin;
    simd::for_each_packet<T>(count, [&](Index i, Index n) {
      simd::store(
          to + i, n,
          f(simd::load<V>(to + i, n, T(0)), simd::load<V>(others.data() + begin + i, n, T(0))...));
    });
  });
  return x;
}

/// The sum of two tensors of one shape. Errors: ShapeError.
template <class T, int N>
Tensor<T, N> operator+(Tensor<T, N> a, const Tensor<T, N>& b) {
  return map_elements(
      std::move(a), [](const auto& x, const auto& y) { return x + y; }, b);
}
template <class T, int N>
Tensor<T, N> operator+(const Tensor<T, N>& a, Tensor<T, N>&& b) {
  return std::move(b) + a;
}
template <class U, int N>
Tensor<std::remove_const_t<U>, N> operator+(const TensorView<U, N>& a,
                                            Tensor<std::remove_const_t<U>, N> b) {
  return std::move(b) + a.copy();
}

/// x + p for every part x of the first axis: (B, L, D) and (L, D). Errors: ShapeError.
template <class T, int N>
Tensor<T, N> add_to_each(Tensor<T, N> x,
                         const std::type_identity_t<TensorView<const T, N - 1>>& p) {
  if (!std::equal(p.shape().begin(), p.shape().end(), x.shape().begin() + 1))
    throw ShapeError("add_to_each: " + to_string(p.shape()) +
                     " must be the shape of each part of " + to_string(x.shape()));
  for (Index b = 0; b < x.shape()[0]; ++b) x[b].flat() += p.flat();
  return x;
}

/// Its backward for p: dp = Σ_b dy_b.
template <class T, int N>
Tensor<T, N - 1> add_to_each_backward(const Tensor<T, N>& dy) {
  Shape<N - 1> shape;
  std::copy(dy.shape().begin() + 1, dy.shape().end(), shape.begin());
  Tensor<T, N - 1> dp(shape);
  for (Index b = 0; b < dy.shape()[0]; ++b) dp.flat() += dy[b].flat();
  return dp;
}

/// The product element by element, a ∘ b. Errors: ShapeError.
template <class T, int N>
Tensor<T, N> operator*(Tensor<T, N> a, const Tensor<T, N>& b) {
  return map_elements(
      std::move(a), [](const auto& x, const auto& y) { return x * y; }, b);
}

}  // namespace ATTN_ABI
}  // namespace attn
