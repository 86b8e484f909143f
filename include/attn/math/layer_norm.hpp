#pragma once

#include <attn/math/rows.hpp>
#include <cmath>

namespace attn::inline ATTN_ABI {

/// y = (x − E[x]) / √(Var[x] + ε) ∘ w + b for every row x, on its last axis; in place where x is given up   [Ba16 Eq.4]
/// w and b have a number for each column; without b nothing is added. Var is Σ(x − E[x])² / D, as PyTorch's.
/// Numerics: the mean is subtracted before anything is squared, so that a large mean costs no digits.
/// Errors: ShapeError if the rows are not as wide as w.
template <class T, int N>
Tensor<T, N> layer_norm(Tensor<T, N> x, const Tensor<T, 1>& w, const std::type_identity_t<std::optional<TensorView<const T, 1>>>& b, double eps) {
  using V = simd::Vector<T>;
  const Index D = row_width(x, w, "LayerNorm");
  for_each_row(x, [&](T* row) {
    const V mean = row_sum<T>(D, [&](Index i, Index n) { return simd::load<V>(row + i, n, T(0)); }) / static_cast<T>(D);
    const T squares = row_sum<T>(D, [&](Index i, Index n) {
      const V d = simd::load<V>(row + i, n, mean.first()) - mean;
      return d * d;
    });
    const V share = static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
    simd::for_each_packet<T>(D, [&](Index i, Index n) {
      const V shift = b ? simd::load<V>(b->data() + i, n, T(0)) : V(T(0));
      simd::store(row + i, n, fma((simd::load<V>(row + i, n, T(0)) - mean) * share, simd::load<V>(w.data() + i, n, T(0)), shift));
    });
  });
  return x;
}

}  // namespace attn::inline ATTN_ABI
