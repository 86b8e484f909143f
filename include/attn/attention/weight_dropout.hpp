#pragma once

#include <attn/math/dropout.hpp>
#include <attn/rules/positions.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Dropout of attention weights: P ∘ M in the place of P. M is a function of a weight's place
/// alone, so that it is never stored [Srivastava14].
template <class T>
class WeightDropout {
 public:
  /// Takes a draw of the Random for every four scores.
  WeightDropout(double p, const ScoreShape& shape, Random& random)
      : heads_(shape.heads),
        keys_(shape.keys),
        padded_queries_((shape.queries + 15) / 16 * 16),
        mask_(p, shape.batch * heads_ * keys_ * padded_queries_, random) {}

  /// M of one weight, and of a vector of queries that follow each other: 0 or 1 / (1 − p). Places
  /// are counted in rows and columns of the call.
  T operator()(const Position& at) const {
    return mask_(place(at.batch, at.head, at.key, at.query));
  }
  simd::Vector<T> operator()(const Positions<T>& at) const {
    const Index first = place(at.batch, at.head, at.key, at.query.first);
    simd::Array<T, simd::lanes<T>> factors;
    for (Index i = 0; i < simd::lanes<T>;) {
      const simd::Array<T, 4> four = mask_.four((first + i) / 4);
      for (Index n = (first + i) % 4; n < 4 && i < simd::lanes<T>; ++n) factors[i++] = four[n];
    }
    return simd::load<simd::Vector<T>>(factors.data);
  }

 private:
  /// The queries of a key lie one after the other, padded to whole vectors.
  Index place(Index batch, Index head, Index key, Index query) const {
    return ((batch * heads_ + head) * keys_ + key) * padded_queries_ + query;
  }

  Index heads_, keys_, padded_queries_;
  DropoutMask<T> mask_;
};

}  // namespace ATTN_ABI
}  // namespace attn
