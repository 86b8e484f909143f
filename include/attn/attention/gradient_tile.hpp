#pragma once

#include <attn/attention/for_each_cover.hpp>
#include <attn/attention/heads.hpp>
#include <attn/gemm/panel.hpp>
#include <attn/simd/exp.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A panel of queries on the way back, in memory of `gradient_panel_room` numbers: Q · scale, dO
/// and dQ as panels, and of each query its log-sum-exp in units of log 2 and D = Σ dO ∘ O. Its
/// queries are columns `column` … of tiles P and dS whose rows are `step` apart.
template <class T>
struct GradientPanel {
  Range queries;
  Index column;
  T *Q, *dO, *dQ, *log_sum_exp, *D;
};
template <class T>
constexpr Index gradient_panel_room(Index E, Index Ev) {
  return (2 * Panel<T, 3>::room(E) + Panel<T, 3>::room(Ev) + 2) * panel_rows<T>;
}

/// P = e^(S − log-sum-exp), S = rule(scale · Q Kᵀ), and dS = P ∘ (dO Vᵀ − D) ∘ rule′, of a panel of
/// queries against a tile of keys: in memory the numbers of one key after the other, a query in
/// each lane   [FA2 Alg.2, lines 11–14]
/// Where a key is masked both are 0, whatever it holds. Keys that the rule excludes for the whole
/// panel are not computed.
template <class T, int W>
class GradientTile {
  using V = simd::Vector<T>;
  static constexpr T none = -std::numeric_limits<T>::infinity();

 public:
  Index begin = 0, end = 0;  ///< of the keys that are attended to, counted from the tile's first
  bool masked = false;       ///< whether a score may be −∞, and dS be 0 for that

  template <class R>
  GradientTile(const HeadInput<T>& in, const R& rule, const GradientPanel<T>& panel, Range keys,
               T* P, T* dS, Index step)
      : in_(in),
        panel_(panel),
        first_(keys.begin),
        step_(step),
        P_(P + panel.column),
        dS_(dS + panel.column) {
    for_each_cover<block_rows<W>>(
        rule, {in.batch, in.head, panel.queries.begin, panel.queries.end, keys.begin, keys.end},
        [&](Cover cover, Index from, Index to) { add(rule, cover, from - first_, to - first_); });
  }

 private:
  template <class R>
  void add(const R& rule, Cover cover, Index from, Index to) {
    if (cover == Cover::none) {
      if (end == 0) begin = to;
      return fill_zero(from, to);
    }
    end = to;
    multiply_rows(in_.V, from, to, panel_.dO, store_to(dS_));  // dP = V dOᵀ
    if (cover == Cover::all && !R::changes_scores && !in_.mask) {
      differentiate(from, to);
    } else {
      masked = true;
      apply(rule, from, to, cover);
    }
  }

  void fill_zero(Index from, Index to) const {
    for (Index j = from; j < to; ++j)
      std::fill_n(P_ + j * step_, W * V::size, T(0)),
          std::fill_n(dS_ + j * step_, W * V::size, T(0));
  }

  /// Keeps a register block in a tile, as it is.
  auto store_to(T* tile) const {
    return [tile, step = step_](Index j, const RegisterBlock<T, W>& C) {
#pragma GCC unroll 16
      for (int r = 0; r < block_rows<W>; ++r)
#pragma GCC unroll 16
        for (int w = 0; w < W; ++w) simd::store(tile + (j + r) * step + w * V::size, C[r][w]);
    };
  }
  /// S = K Qᵀ, and at once P and dS, for keys that all queries attend to, their scores as they are.
  void differentiate(Index from, Index to) const {
    multiply_rows(in_.K, from, to, panel_.Q,
                  [P = P_, dS = dS_, step = step_, lse = panel_.log_sum_exp, D = panel_.D](
                      Index j, const RegisterBlock<T, W>& C) {
#pragma GCC unroll 16
                    for (int r = 0; r < block_rows<W>; ++r) {
                      simd::Array<V, W> p;
#pragma GCC unroll 16
                      for (int w = 0; w < W; ++w)
                        p[w] = fma(C[r][w], log2e<T>, -simd::load<V>(lse + w * V::size));
                      exp2(p);
#pragma GCC unroll 16
                      for (int w = 0; w < W; ++w) {
                        const Index at = (j + r) * step + w * V::size;
                        simd::store(P + at, p[w]);
                        simd::store(dS + at, p[w] * (simd::load<V>(dS + at) -
                                                     simd::load<V>(D + w * V::size)));
                      }
                    }
                  });
  }
  /// The same under a rule. With dropout, O = (P ∘ M) V: then P becomes P ∘ M, which dV needs, and
  /// dS = P ∘ (dP ∘ M − D).
  template <class R>
  void apply(const R& rule, Index from, Index to, Cover cover) const {
    multiply_rows(in_.K, from, to, panel_.Q, store_to(P_));
    for (Index lane = 0; lane < W * V::size; lane += V::size) {
      const Index row = panel_.queries.begin + lane,
                  count = std::clamp<Index>(panel_.queries.end - row, 0, V::size);
      const V log_sum_exp = simd::load<V>(panel_.log_sum_exp + lane),
              D = simd::load<V>(panel_.D + lane);
      for (Index j = from; j < to; ++j) {
        const Positions<T> at{in_.batch, in_.head, {row}, first_ + j};
        T *const P = P_ + j * step_ + lane, *const dS = dS_ + j * step_ + lane;
        const Dual<V> s = rule.score(Dual<V>(simd::load<V>(P), T(1)), at, count);
        auto seen = s.value != none;
        if constexpr (R::masks)
          if (cover != Cover::all) seen = seen & rule.allows(at, count);
        const V p = select(seen, exp2(fma(s.value, log2e<T>, -log_sum_exp)), T(0));
        V dP = simd::load<V>(dS), p_kept = p;
        if (in_.mask) {
          const V mask = (*in_.mask)(at);
          p_kept = p * mask, dP = select(mask == T(0), T(0), dP * mask);
        }
        simd::store(P, p_kept);
        simd::store(dS, select(seen, p * (dP - D) * s.slope, T(0)));
      }
    }
  }

  template <class Finish>
  void multiply_rows(const typename HeadInput<T>::Matrix& X, Index from, Index to, const T* panel,
                     const Finish& finish) const {
    const Index x_step = X.outerStride();
    multiply<W>(LeftFactor<T>{X.data() + (first_ + from) * x_step, x_step, 1}, to - from, panel,
                W * V::size, X.cols(),
                [from, &finish](Index j, const RegisterBlock<T, W>& C) { finish(from + j, C); });
  }

  const HeadInput<T>& in_;
  const GradientPanel<T>& panel_;
  Index first_, step_;
  T *P_, *dS_;
};

}  // namespace ATTN_ABI
}  // namespace attn
