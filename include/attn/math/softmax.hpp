#pragma once

#include <attn/math/exp.hpp>
#include <cmath>
#include <span>

namespace attn::inline ATTN_ABI {

/// The largest number of a row; −inf for an empty row. A NaN may be passed over: what uses the maximum meets it again.
template <class T>
T row_maximum(std::span<const T> x) {
  namespace p = simd::packet;
  constexpr T none = -std::numeric_limits<T>::infinity();
  simd::Packet<T> m = simd::all(none);
  simd::for_each_packet<T>(static_cast<Index>(x.size()), [&](Index i, Index n) { m = p::pmax(m, simd::load(x.data() + i, n, none)); });
  return p::predux_max(m);
}

/// P = softmax(S): P_j = exp(S_j − m) / Σ_k exp(S_k − m), m = max S [Vaswani17 Eq.1]. Returns log Σ exp S_k.
/// `weights` may be `scores`. A row of −inf only, where nothing may be attended to, gives weights 0 and −inf.
/// Numerics: the maximum is subtracted, so nothing overflows; a score of −inf has weight exactly 0; a NaN or +inf makes the
/// whole row NaN; sums are taken in an order that depends on the length alone.
template <class T>
T softmax(std::span<const T> scores, std::span<T> weights) {
  namespace p = simd::packet;
  constexpr T none = -std::numeric_limits<T>::infinity();
  const Index length = static_cast<Index>(scores.size());
  const T maximum = row_maximum(scores);
  const simd::Packet<T> m = simd::all(maximum == none ? T(0) : maximum);
  simd::Packet<T> sums = simd::all(T(0));
  simd::for_each_packet<T>(length, [&](Index i, Index n) {
    const simd::Packet<T> e = simd::exp(p::psub(simd::load(scores.data() + i, n, none), m));
    sums = p::padd(sums, e);
    simd::store(weights.data() + i, n, e);
  });
  const T sum = p::predux(sums);
  if (sum == T(0)) return none;
  const simd::Packet<T> share = simd::all(T(1) / sum);
  simd::for_each_packet<T>(length, [&](Index i, Index n) { simd::store(weights.data() + i, n, p::pmul(simd::load(weights.data() + i, n, T(0)), share)); });
  return maximum + std::log(sum);
}

/// dS from P = softmax(S) and dP: dS = P ∘ (dP − Σ_k P_k dP_k). `d_scores` may be `d_weights`.
template <class T>
void softmax_backward(std::span<const T> weights, std::span<const T> d_weights, std::span<T> d_scores) {
  T dot = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) dot += weights[k] * d_weights[k];
  for (std::size_t k = 0; k < weights.size(); ++k) d_scores[k] = weights[k] * (d_weights[k] - dot);
}

}  // namespace attn::inline ATTN_ABI
