#pragma once

#include <algorithm>
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
  template <class Queries>
  typename Queries::Vector operator()(const PositionsOf<Queries>& at) const {
    using Vector = typename Queries::Vector;
    const Index first = place(at.batch, at.head, at.key, at.query.first);
    constexpr Index blocks = (Vector::size + 3) / 4;
    const Index skipped = first % 4;
    simd::Array<T, 4 * (blocks + 1)> factors;
    for (Index block = 0; block < blocks; ++block)
      copy_four(first / 4 + block, &factors[4 * block]);
    if (skipped + Vector::size > 4 * blocks) copy_four(first / 4 + blocks, &factors[4 * blocks]);
    return Vector::load(&factors[skipped]);
  }

 private:
  void copy_four(Index block, T* output) const {
    const simd::Array<T, 4> four = mask_.four(block);
    std::copy_n(four.data, 4, output);
  }
  /// The queries of a key lie one after the other, padded to whole vectors.
  Index place(Index batch, Index head, Index key, Index query) const {
    return ((batch * heads_ + head) * keys_ + key) * padded_queries_ + query;
  }

  Index heads_, keys_, padded_queries_;
  DropoutMask<T> mask_;
};

}  // namespace ATTN_ABI
}  // namespace attn
