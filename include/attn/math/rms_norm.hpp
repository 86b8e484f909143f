#pragma once

#include <attn/math/norm_rows.hpp>
#include <cmath>

namespace attn::inline ATTN_ABI {

/// 1 / √(Σ x² / D + ε) of a row.
template <class T>
simd::Vector<T> rms_share(const T* row, Index D, double eps) {
  using V = simd::Vector<T>;
  const T squares = row_sum<T>(D, [&](Index i, Index n) {
    const V v = simd::load<V>(row + i, n, T(0));
    return v * v;
  });
  return static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
}

/// y = x̂ ∘ w, x̂ = x / √(Σ x² / D + ε), for every row x, on its last axis; in place where x is given up   [Zhang19 Eq.4]
/// Errors: ShapeError if the rows are not as wide as w.
template <class T, int N>
Tensor<T, N> rms_norm(Tensor<T, N> x, const Tensor<T, 1>& w, double eps) {
  using V = simd::Vector<T>;
  const Index D = row_width(x, w, "RMSNorm");
  for_each_row(x, [&](T* row) {
    const V share = rms_share(row, D, eps);
    simd::for_each_packet<T>(
        D, [&](Index i, Index n) { simd::store(row + i, n, simd::load<V>(row + i, n, T(0)) * share * simd::load<V>(w.data() + i, n, T(0))); });
  });
  return x;
}

/// With g = dy ∘ w:  dx = (g − x̂ Σ(g ∘ x̂) / D) / √(Σ x² / D + ε)   dw = Σ dy ∘ x̂
template <class T, int N>
NormGradients<T, N> rms_norm_backward(Tensor<T, N> dy, const Tensor<T, N>& x, const Tensor<T, 1>& w, double eps) {
  using V = simd::Vector<T>;
  const Index D = w.size();
  return norm_backward(std::move(dy), x, [&, D](T* dy_row, const T* row, T* dw, T*) {
    const V share = rms_share(row, D, eps);
    V g_x_sum = T(0);
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const V x_hat = simd::load<V>(row + i, n, T(0)) * share, d = simd::load<V>(dy_row + i, n, T(0));
      g_x_sum += d * simd::load<V>(w.data() + i, n, T(0)) * x_hat;
      add_to<T>(dw + i, n, d * x_hat);
    });
    const V g_x_mean = sum(g_x_sum) / static_cast<T>(D);
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const V g = simd::load<V>(dy_row + i, n, T(0)) * simd::load<V>(w.data() + i, n, T(0));
      simd::store(dy_row + i, n, (g - simd::load<V>(row + i, n, T(0)) * share * g_x_mean) * share);
    });
  });
}

}  // namespace attn::inline ATTN_ABI
