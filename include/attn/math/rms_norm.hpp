#pragma once

#include <attn/math/rows.hpp>
#include <cmath>

namespace attn::inline ATTN_ABI {

/// y = x / √(Σ x² / D + ε) ∘ w for every row x, on its last axis; in place where x is given up   [Zhang19 Eq.4]
/// Errors: ShapeError if the rows are not as wide as w.
template <class T, int N>
Tensor<T, N> rms_norm(Tensor<T, N> x, const Tensor<T, 1>& w, double eps) {
  using V = simd::Vector<T>;
  const Index D = row_width(x, w, "RMSNorm");
  for_each_row(x, [&](T* row) {
    const T squares = row_sum<T>(D, [&](Index i, Index n) {
      const V v = simd::load<V>(row + i, n, T(0));
      return v * v;
    });
    const V share = static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
    simd::for_each_packet<T>(
        D, [&](Index i, Index n) { simd::store(row + i, n, simd::load<V>(row + i, n, T(0)) * share * simd::load<V>(w.data() + i, n, T(0))); });
  });
  return x;
}

}  // namespace attn::inline ATTN_ABI
