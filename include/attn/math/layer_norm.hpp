#pragma once

#include <attn/math/rows.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// E[x] and 1 / √(Var[x] + ε) of a row. Var is Σ(x − E[x])² / D, as PyTorch's.
/// Numerics: the mean is subtracted before anything is squared, so that a large mean costs no
/// digits.
template <class T>
struct RowMoments {
  using V = simd::Vector<T>;
  V mean, share;

  RowMoments(const T* row, Index D, double eps)
      : mean(row_sum<T>(D, [&](Index i, Index n) { return simd::load<V>(row + i, n, T(0)); }) /
             static_cast<T>(D)) {
    const T squares = row_sum<T>(D, [&](Index i, Index n) {
      const V d = simd::load<V>(row + i, n, mean.first()) - mean;
      return d * d;
    });
    share =
        static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
  }
};

/// y = x̂ ∘ w + b, x̂ = (x − E[x]) / √(Var[x] + ε), for every row x, on its last axis; in place where
/// x is given up   [Ba16 Eq.4] w and b have a number for each column; without b nothing is added.
/// Errors: ShapeError if the rows are not as wide as w.
template <class T, int N>
Tensor<T, N> layer_norm(Tensor<T, N> x, const Tensor<T, 1>& w,
                        const std::type_identity_t<std::optional<TensorView<const T, 1>>>& b,
                        double eps) {
  using V = simd::Vector<T>;
  const Index D = row_width(x, w, "LayerNorm");
  for_each_row(x, [&](T* row) {
    const RowMoments<T> of(row, D, eps);
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const V shift = b ? simd::load<V>(b->data() + i, n, T(0)) : V(T(0));
      simd::store(row + i, n,
                  fma((simd::load<V>(row + i, n, T(0)) - of.mean) * of.share,
                      simd::load<V>(w.data() + i, n, T(0)), shift));
    });
  });
  return x;
}

/// What its backward gives: dx in the place of dy.
template <class T, int N>
struct LayerNormGradients {
  Tensor<T, N> dx;
  Tensor<T, 1> dw, db;
};

/// With g = dy ∘ w:  dx = (g − E[g] − x̂ E[g ∘ x̂]) / √(Var[x] + ε)   dw = Σ dy ∘ x̂   db = Σ dy
template <class T, int N>
LayerNormGradients<T, N> layer_norm_backward(Tensor<T, N> dy, const Tensor<T, N>& x,
                                             const Tensor<T, 1>& w, double eps) {
  using V = simd::Vector<T>;
  const Index D = w.size();
  const Tensor<T, 1> sums =
      sum_over_rows<T>(D > 0 ? x.size() / D : 0, 2 * D, [&, D](Index r, T* dw) {
        const T* const row = x.data() + r * D;
        T *const dy_row = dy.data() + r * D, *const db = dw + D;
        const RowMoments<T> of(row, D, eps);
        V g_sum = T(0), g_x_sum = T(0);
        const auto normalised = [&](Index i, Index n) {
          return (simd::load<V>(row + i, n, of.mean.first()) - of.mean) * of.share;
        };
        simd::for_each_packet<T>(D, [&](Index i, Index n) {
          const V x_hat = normalised(i, n), d = simd::load<V>(dy_row + i, n, T(0)),
                  g = d * simd::load<V>(w.data() + i, n, T(0));
          g_sum += g, g_x_sum += g * x_hat;
          add_to<T>(dw + i, n, d * x_hat), add_to<T>(db + i, n, d);
        });
        const V g_mean = sum(g_sum) / static_cast<T>(D),
                g_x_mean = sum(g_x_sum) / static_cast<T>(D);
        simd::for_each_packet<T>(D, [&](Index i, Index n) {
          const V g = simd::load<V>(dy_row + i, n, T(0)) * simd::load<V>(w.data() + i, n, T(0));
          simd::store(dy_row + i, n, (g - g_mean - normalised(i, n) * g_x_mean) * of.share);
        });
      });
  return {std::move(dy), sums.slice(0, 0, D).copy(), sums.slice(0, D, 2 * D).copy()};
}

}  // namespace ATTN_ABI
}  // namespace attn
