#pragma once

#include <attn/simd/exp.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// Softmax over scores that arrive in parts [Milakov18 Alg.3, FA2 §2.3]: of what has been seen, the
/// maximum m and the sum ℓ = Σ exp(S_k − m). Two states merge into that of all their scores, in
/// either order; a state of nothing changes nothing.
/// Numerics: where only −inf has been seen m is −inf, and the factor for it is exp(−inf) = 0, not
/// exp(−inf + inf) = NaN.
template <class T>
struct OnlineSoftmax {
  T maximum = -std::numeric_limits<T>::infinity();
  T sum = 0;

  /// What sums, and outputs that are weighted by exp(S − before), must be multiplied by when the
  /// maximum becomes `after`.
  static T rescale(T before, T after) {
    return before == -std::numeric_limits<T>::infinity() ? T(0) : exp(before - after);
  }

  /// Takes one more score.
  void add(T score) { merge({score, score == -std::numeric_limits<T>::infinity() ? T(0) : T(1)}); }

  void merge(const OnlineSoftmax& other) {
    const T after = maximum < other.maximum || maximum != maximum ? other.maximum : maximum;
    sum = sum * rescale(maximum, after) + other.sum * rescale(other.maximum, after);
    maximum = after;
  }

  /// log Σ exp S_k; −inf if there was nothing.
  T log_sum_exp() const {
    return sum == T(0) ? -std::numeric_limits<T>::infinity() : maximum + std::log(sum);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
