#pragma once

#include <attn/simd/exp.hpp>
#include <cmath>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// The largest number of a row; −inf for an empty row. A NaN may be passed over: what uses the
/// maximum meets it again.
template <class T>
T row_maximum(std::span<const T> x) {
  using V = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  V m = none;
  simd::for_each_packet<T>(static_cast<Index>(x.size()), [&](Index i, Index n) {
    m = max(m, simd::load<V>(x.data() + i, n, none));
  });
  return largest(m);
}

/// P = softmax(S): P_j = exp(S_j − m) / Σ_k exp(S_k − m), m = max S [Vaswani17 Eq.1]. Returns log Σ
/// exp S_k. `weights` may be `scores`. A row of −inf only, where nothing may be attended to, gives
/// weights 0 and −inf.
/// Numerics: the maximum is subtracted, so nothing overflows; a score of −inf has weight exactly 0;
/// a NaN or +inf makes the whole row NaN; sums are taken in an order that depends on the length
/// alone.
template <class T>
T softmax(std::span<const T> scores, std::span<T> weights) {
  using V = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  const Index length = static_cast<Index>(scores.size());
  const T maximum = row_maximum(scores);
  const V m = maximum == none ? T(0) : maximum;
  V sums = T(0);
  simd::for_each_packet<T>(length, [&](Index i, Index n) {
    const V e = exp(simd::load<V>(scores.data() + i, n, none) - m);
    sums += e;
    simd::store(weights.data() + i, n, e);
  });
  const T total = sum(sums);
  if (total == T(0)) return none;
  const V share = T(1) / total;
  simd::for_each_packet<T>(length, [&](Index i, Index n) {
    simd::store(weights.data() + i, n, simd::load<V>(weights.data() + i, n, T(0)) * share);
  });
  return maximum + std::log(total);
}

/// dS from P = softmax(S) and dP: dS = P ∘ (dP − Σ_k P_k dP_k). `d_scores` may be `d_weights`.
template <class T>
void softmax_backward(std::span<const T> weights, std::span<const T> d_weights,
                      std::span<T> d_scores) {
  T dot = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) dot += weights[k] * d_weights[k];
  for (std::size_t k = 0; k < weights.size(); ++k) d_scores[k] = weights[k] * (d_weights[k] - dot);
}

}  // namespace ATTN_ABI
}  // namespace attn
