#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_EXPONENTIALS_HPP
#define ATTN_ATTENTION_EXPONENTIALS_HPP

#include <attn/attention/score_tile.hpp>

#define ATTN_KERNELS <attn/attention/exponentials.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// P ← P ∘ M. A weight that is marked as masked, −1, stays so.
template <class T>
ATTN_FLATTEN void drop_weights(const WeightDropout<T>& dropout, const ScoreColumn<T>& column) {
  using Vector = simd::Vector<T>;
  for (Index j = 0; j < column.keys; ++j) {
    T* const p = column.S + j * column.stride;
    const Vector weight = simd::load<Vector>(p);
    simd::store(p, select(weight < T(0), weight, weight * dropout(column.at(j))));
  }
}

/// Scores, or weights, of a vector of queries against keys `begin` … `end` of a tile, those of one
/// key `stride` after those of another.
template <class T>
struct WeightColumn {
  T* S;
  Index stride, begin, end;
};

/// P = 2^(log₂e · S − m), in place of S; returns Σ P, taken over every fourth key first, by its
/// place in the tile. `mark`: a weight that is masked becomes −1, to tell it from one that is too
/// small.
template <class T>
simd::Vector<T> exponentials(const WeightColumn<T>& column, const simd::Vector<T>& m, bool mark) {
  using Vector = simd::Vector<T>;
  const auto [S, stride, begin, end] = column;
  simd::Array<Vector, 4> sums{{T(0), T(0), T(0), T(0)}};
  Index j = begin;
  for (; j + 4 <= end && !mark; j += 4) {
    simd::Array<Vector, 4> p;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) p[i] = fma(simd::load<Vector>(S + (j + i) * stride), log2e<T>, -m);
    exp2(p);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      simd::store(S + (j + i) * stride, p[i]);
      sums[i] += p[i];
    }
  }
  for (; j < end; ++j) {
    const Vector s = simd::load<Vector>(S + j * stride);
    const Vector p = exp2(fma(s, log2e<T>, -m));
    simd::store(S + j * stride,
                mark ? select(s == -std::numeric_limits<T>::infinity(), T(-1), p) : p);
    sums[j % 4] += p;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
