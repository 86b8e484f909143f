#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/math/rows.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// 1 / √(Σ x² / D + ε) of a row.
template <class T>
simd::Vector<T> inverse_rms(const T* row, Index D, double eps) {
  using Vector = simd::Vector<T>;
  const T squares = row_sum<T>(D, [&](Index i, Index n) {
    const Vector v = simd::load<Vector>(row + i, n, T(0));
    return v * v;
  });
  return static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
}

}  // namespace detail

/// y = x̂ ∘ w, x̂ = x / √(Σ x² / D + ε), for every row x, the last axis   [Zhang19 Eq.4]
/// With g = dy ∘ w:  dx = (g − x̂ Σ(g ∘ x̂) / D) / √(Σ x² / D + ε)   dw = Σ dy ∘ x̂
/// Errors: ShapeError if the rows are not as wide as w.
struct RmsNormalization {
  double eps;

  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x, const Tensor<T, 1>& w) const {
    using Vector = simd::Vector<T>;
    const Index D = detail::row_width(x, w, "RMSNorm");
    detail::for_each_row(x, [&](T* row) {
      const Vector rrms = detail::inverse_rms(row, D, eps);
      simd::for_each_packet<T>(D, [&](Index i, Index n) {
        const Vector x_hat = simd::load<Vector>(row + i, n, T(0)) * rrms;
        simd::store(row + i, n, x_hat * simd::load<Vector>(w.data() + i, n, T(0)));
      });
    });
    return x;
  }

  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x, const Input<T, 1>& w) const {
    const Index D = w.shape()[0];
    Tensor<T, 1> dw = detail::sum_over_rows<T>(D > 0 ? dy.size() / D : 0, D, [&](Index r, T* sums) {
      backward_row(x.value().data() + r * D, dy.data() + r * D, w.value(), sums);
    });
    x.add(std::move(dy));
    w.add(std::move(dw));
  }

 private:
  /// dx in place of dy; dw is added to.
  template <class T>
  void backward_row(const T* row, T* dy, const Tensor<T, 1>& w, T* dw) const {
    using Vector = simd::Vector<T>;
    const Index D = w.size();
    const Vector rrms = detail::inverse_rms(row, D, eps);
    Vector g_x_sum = T(0);
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const Vector x_hat = simd::load<Vector>(row + i, n, T(0)) * rrms;
      const Vector d = simd::load<Vector>(dy + i, n, T(0));
      g_x_sum += d * simd::load<Vector>(w.data() + i, n, T(0)) * x_hat;
      detail::add_to<T>(dw + i, n, d * x_hat);
    });
    const Vector g_x_mean = sum(g_x_sum) / static_cast<T>(D);
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const Vector g =
          simd::load<Vector>(dy + i, n, T(0)) * simd::load<Vector>(w.data() + i, n, T(0));
      const Vector x_hat = simd::load<Vector>(row + i, n, T(0)) * rrms;
      simd::store(dy + i, n, (g - x_hat * g_x_mean) * rrms);
    });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
