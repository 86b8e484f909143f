#pragma once

#include <attn/attention/score_tile.hpp>
#include <attn/attention/tile_rows.hpp>
#include <attn/simd/exp.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// Numbers of memory that a panel of queries needs.
template <class T>
constexpr Index query_panel_room(Index E, Index Ev) {
  return (Panel<T, 3>::room(E) + Panel<T, 3>::room(Ev) + 2) * panel_rows<T>;
}

/// A panel of queries on its way over the keys, in memory of `query_panel_room` numbers: Q (E
/// columns of a panel), O (Ev columns), and of each query the largest score m so far and ℓ = Σ e^(s
/// − m), in units of log 2.
template <class T, int W>
class QueryPanel {
  using V = simd::Vector<T>;
  using Vectors = simd::Array<V, W>;
  using P = Panel<T, W>;
  static constexpr Index lanes = V::size;
  static constexpr T none = -std::numeric_limits<T>::infinity(), ln2 = T(0.69314718055994530942);

 public:
  /// The panel begins with row `row` of in.Q. `scores` is memory for the scores of a tile, with
  /// room for its keys.
  QueryPanel(const HeadInput<T>& in, Index row, T* memory, T* scores)
      : in_(in),
        queries_{row, std::min(row + P::size, in.Q.rows())},
        Q_(memory),
        O_(Q_ + P::room(in.Q.cols()) * P::size),
        m_(O_ + P::room(in.V.cols()) * P::size),
        l_(m_ + P::size),
        S_(scores) {}

  /// ℓ = 0, m = −∞; O = 0 comes with the first tile   [FA2 Alg.1, line 4]
  void begin() {
    P::pack(in_.Q.middleRows(queries_.begin, queries_.size()), in_.scale, Q_);
    std::fill_n(m_, P::size, none);
    std::fill_n(l_, P::size, T(0));
    if (in_.K.rows() == 0) std::fill(O_, m_, T(0));
  }

  /// S = Q Kᵀ   [FA2 Alg.1, line 8]
  template <class R>
  ScoreTile<T, W> scores(const R& rule, Range keys) const {
    return {in_, rule, queries_, Q_, keys, S_};
  }

  /// Takes in a tile of keys, which has a maximum m' = max S and a sum ℓ' of its own   [FA2 Alg.1,
  /// lines 9–10]
  ///   P = e^(S − m')   ℓ' = Σ P   m ← max(m, m')   ℓ ← e^(m_old − m) ℓ + e^(m' − m) ℓ'   O ←
  ///   e^(m_old − m) O + e^(m' − m) P V
  /// Numerics: a tile is summed from zero and then added, so that rounding errors do not grow with
  /// S. Where a key is masked, its value is not seen, be it NaN.
  void add(const ScoreTile<T, W>& scores, TileRows<T>& values) {
    const bool nothing = scores.begin >= scores.end,
               unmasked_only = !nothing && scores.masked && !values.finite();
    if (values.first() == 0 && (nothing || unmasked_only)) std::fill(O_, m_, T(0));
    if (nothing) return;
    Vectors old_factor, factor;
    for (int w = 0; w < W; ++w) {
      const V m_old = simd::load<V>(m_ + w * lanes),
              m_tile = log2e<T> * simd::load<V>(scores.maximum.data + w * lanes),
              m = max(m_old, m_tile);
      const V l_tile = exponentials(scores, w, finite_or_0(m_tile), unmasked_only);
      old_factor[w] = exp2(m_old - finite_or_0(m)), factor[w] = exp2(m_tile - finite_or_0(m));
      simd::store(m_ + w * lanes, m);
      simd::store(l_ + w * lanes,
                  fma(simd::load<V>(l_ + w * lanes), old_factor[w], l_tile * factor[w]));
    }
    if (in_.mask) drop(scores, values);
    const LeftFactor<T> V_tile = values.transposed(scores.begin);
    if (unmasked_only) add_unmasked_values(scores, V_tile, old_factor, factor);
    else if (values.first() == 0) set_values(scores, V_tile);
    else add_values(scores, V_tile, old_factor, factor);
  }

  /// O ← O / ℓ   log Σ e^s = m + log ℓ   [FA2 Alg.1, lines 12–13]
  void finish(HeadOutput<T>& out) const {
    const Vectors share = shares();
    P::unpack(O_, share, out.O.middleRows(queries_.begin, queries_.size()));
    if (!out.log_sum_exp) return;
    for (Index i = 0; i < queries_.size(); ++i)
      out.log_sum_exp[queries_.begin + i] = l_[i] == T(0) ? none : ln2 * (m_[i] + std::log2(l_[i]));
  }

  /// The weights of a tile of keys, when m and ℓ are those of all keys: P = e^(S − m) / ℓ.
  void write_weights(const ScoreTile<T, W>& scores, Range keys, HeadOutput<T>& out) const {
    auto weights = out.P->block(queries_.begin, keys.begin, queries_.size(), keys.size());
    weights.setZero();
    if (scores.begin >= scores.end) return;
    for (int w = 0; w < W; ++w)
      exponentials(scores, w, finite_or_0(simd::load<V>(m_ + w * lanes)), false);
    const Vectors share = shares();
    P::unpack(S_ + scores.begin * P::size, share,
              weights.middleCols(scores.begin, scores.end - scores.begin));
  }

 private:
  /// A maximum to subtract: where every score is −∞, any number will do.
  static V finite_or_0(const V& m) { return select(m == none, T(0), m); }
  /// 1/ℓ; 0 for a query that may look at nothing.
  Vectors shares() const {
    Vectors share;
    for (int w = 0; w < W; ++w) {
      const V l = simd::load<V>(l_ + w * lanes);
      share[w] = select(l == T(0), T(0), T(1) / l);
    }
    return share;
  }

  /// P = 2^(log₂e · S − m), in place of S; returns Σ P, taken over every fourth key first, by its
  /// place in the tile. `mark`: a weight that is masked becomes −1, so that it is known from one
  /// that is too small.
  V exponentials(const ScoreTile<T, W>& scores, int w, const V& m, bool mark) const {
    T* const S = S_ + w * lanes;
    simd::Array<V, 4> fours{{T(0), T(0), T(0), T(0)}};
    Index j = scores.begin;
    for (; j + 4 <= scores.end && !mark; j += 4) {
      simd::Array<V, 4> p;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) p[i] = fma(simd::load<V>(S + (j + i) * P::size), log2e<T>, -m);
      exp2(p);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) simd::store(S + (j + i) * P::size, p[i]), fours[i] += p[i];
    }
    simd::Array<V, 4> sums = fours;
    for (; j < scores.end; ++j) {
      const V s = simd::load<V>(S + j * P::size);
      const V p = exp2(fma(s, log2e<T>, -m));
      simd::store(S + j * P::size, mark ? select(s == none, T(-1), p) : p), sums[j % 4] += p;
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

  /// P ← P ∘ M; ℓ is that of P as it was. What is marked as masked stays so.
  void drop(const ScoreTile<T, W>& scores, const TileRows<T>& values) const {
    for (Index lane = 0; lane < P::size; lane += lanes)
      for (Index j = scores.begin; j < scores.end; ++j) {
        T* const p = S_ + j * P::size + lane;
        const V weight = simd::load<V>(p),
                kept = (*in_.mask)(Positions<T>{
                    in_.batch, in_.head, {in_.row + queries_.begin + lane}, values.first() + j});
        simd::store(p, select(weight < T(0), weight, weight * kept));
      }
  }

  /// O ← P V
  void set_values(const ScoreTile<T, W>& scores, const LeftFactor<T>& values) const {
    multiply<W>(values, in_.V.cols(), S_ + scores.begin * P::size, P::size,
                scores.end - scores.begin, [O = O_](Index e, const RegisterBlock<T, W>& PV) {
#pragma GCC unroll 16
                  for (int r = 0; r < block_rows<W>; ++r)
#pragma GCC unroll 16
                    for (int w = 0; w < W; ++w)
                      simd::store(O + (e + r) * P::size + w * lanes, PV[r][w]);
                });
  }
  /// O ← old_factor · O + factor · P V
  void add_values(const ScoreTile<T, W>& scores, const LeftFactor<T>& values,
                  const Vectors& old_factor, const Vectors& factor) const {
    multiply<W>(values, in_.V.cols(), S_ + scores.begin * P::size, P::size,
                scores.end - scores.begin,
                [O = O_, &old_factor, &factor](Index e, const RegisterBlock<T, W>& PV) {
#pragma GCC unroll 16
                  for (int r = 0; r < block_rows<W>; ++r)
#pragma GCC unroll 16
                    for (int w = 0; w < W; ++w) {
                      T* const o = O + (e + r) * P::size + w * lanes;
                      simd::store(o, fma(simd::load<V>(o), old_factor[w], PV[r][w] * factor[w]));
                    }
                });
  }

  /// The same bits where V is finite; elsewhere a value that is masked, −1 in P, is left out.
  void add_unmasked_values(const ScoreTile<T, W>& scores, const LeftFactor<T>& values,
                           const Vectors& old_factor, const Vectors& factor) const {
    for (Index e = 0; e < in_.V.cols(); ++e)
      for (int w = 0; w < W; ++w) {
        V PV = T(0);
        for (Index j = scores.begin; j < scores.end; ++j) {
          const V p = simd::load<V>(S_ + j * P::size + w * lanes),
                  value = values.data[(j - scores.begin) * values.step + e];
          PV = select(p < T(0), PV, fma(value, p, PV));
        }
        T* const o = O_ + e * P::size + w * lanes;
        simd::store(o, fma(simd::load<V>(o), old_factor[w], PV * factor[w]));
      }
  }

  const HeadInput<T>& in_;
  Range queries_;
  T *Q_, *O_, *m_, *l_, *S_;
};

}  // namespace ATTN_ABI
}  // namespace attn
