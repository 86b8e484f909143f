#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_GRADIENT_TILE_HPP
#define ATTN_ATTENTION_GRADIENT_TILE_HPP

#include <attn/attention/score_tile.hpp>
#include <attn/simd/exp.hpp>

#define ATTN_KERNELS <attn/attention/gradient_tile.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// A panel of queries in the backward pass, in memory of `gradient_panel_size` elements: Q · scale,
/// dO and dQ as panels, and of each query its log-sum-exp in units of log 2 and D = Σ dO ∘ O. Its
/// queries are columns `column` … of tiles P and dS.
template <class T>
struct GradientPanel {
  Panel<T> layout;
  Range queries;
  Index column;
  T *Q, *dO, *dQ, *log_sum_exp, *D;
};
template <class T>
constexpr Index gradient_panel_size(Index E, Index Ev) {
  return (2 * padded_size(E) + padded_size(Ev) + 2) * panel_rows<T>;
}

/// P and dS of a tile of queries against a tile of keys, whose rows are `stride` apart.
template <class T>
struct WeightTiles {
  T *P, *dS;
  Index stride;
};

/// A column of scores, dP in the place of dS, and log-sum-exp and D of its queries.
template <class T>
struct GradientColumn {
  ScoreColumn<T> scores;
  T* dS;
  const T *log_sum_exp, *D;
};

/// P and dS, from the scores S in the place of P and dP in the place of dS. With dropout,
/// O = (P ∘ M) V: then P becomes P ∘ M, which dV needs, and dS = P ∘ (dP ∘ M − D). What is dropped
/// is 0, whatever it was.
template <class R, class T>
ATTN_FLATTEN void differentiate_rule(const R& rule, [[maybe_unused]] Coverage coverage,
                                     const GradientColumn<T>& column,
                                     const std::optional<WeightDropout<T> >& dropout) {
  using Vector = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  const ScoreColumn<T>& scores = column.scores;
  const Vector log_sum_exp = simd::load<Vector>(column.log_sum_exp);
  const Vector D = simd::load<Vector>(column.D);
  for (Index j = 0; j < scores.keys; ++j) {
    const auto at = scores.at(j);
    T* const P = scores.S + j * scores.stride;
    T* const dS = column.dS + j * scores.stride;
    const Dual<Vector> s = rule.score(Dual<Vector>(simd::load<Vector>(P), T(1)), at, scores.count);
    auto allowed = s.value != none;
    if constexpr (R::masks)
      if (coverage != Coverage::full) allowed = allowed & rule.allows(at, scores.count);
    const Vector p = select(allowed, exp2(fma(s.value, log2e<T>, -log_sum_exp)), T(0));
    Vector dP = simd::load<Vector>(dS);
    Vector kept = p;
    if (dropout) {
      const Vector M = (*dropout)(at);
      kept = p * M;
      dP = select(M == T(0), T(0), dP * M);
    }
    simd::store(P, kept);
    simd::store(dS, select(allowed, p * (dP - D) * s.slope, T(0)));
  }
}

/// A rule as the tiles of gradients ask it.
template <class T>
class GradientRule : public TileRule {
  using Dropout = std::optional<WeightDropout<T> >;

 public:
  template <class R>
  GradientRule(const R& rule) : TileRule(rule), differentiate_(&differentiate_of<R>) {}

  /// differentiate_rule
  void differentiate(Coverage coverage, const GradientColumn<T>& column,
                     const Dropout& dropout) const {
    differentiate_(rule_, coverage, column, dropout);
  }

 private:
  template <class R>
  static void differentiate_of(const void* rule, Coverage coverage, const GradientColumn<T>& column,
                               const Dropout& dropout) {
    differentiate_rule(as<R>(rule), coverage, column, dropout);
  }
  void (*const differentiate_)(const void*, Coverage, const GradientColumn<T>&, const Dropout&);
};

/// P = e^(S − log-sum-exp), S = rule(scale · Q Kᵀ), and dS = P ∘ (dO Vᵀ − D) ∘ rule′, of a panel of
/// queries against a tile of keys: in memory the elements of one key follow those of another, with
/// a query in each lane   [FA2 Alg.2, lines 11–14]
/// Where a key is masked both are 0, whatever it holds. Keys that the rule excludes for the whole
/// panel are not computed.
template <class Task>
class GradientTile {
  using T = typename Task::Scalar;
  using Vector = simd::Vector<T>;
  static constexpr Index lanes = Vector::size;

 public:
  AttendedKeys attended;

  GradientTile(const Task& task, const GradientPanel<T>& panel, Range keys,
               const WeightTiles<T>& tiles)
      : task_(task),
        panel_(panel),
        keys_(keys),
        P_(tiles.P + panel.column),
        dS_(tiles.dS + panel.column),
        stride_(tiles.stride) {}

  /// `coverage` is what the rule says of the whole tile.
  void compute(const GradientRule<T>& rule, Coverage coverage) {
    attended.visit(rule, task_.tile(panel_.queries, keys_), coverage, *this);
  }

 private:
  friend AttendedKeys;

  bool keeps_scores(const GradientRule<T>& rule) const {
    return !rule.changes_scores && !task_.dropout;
  }
  Index block() const { return panel_.layout.height(); }
  Index size() const { return panel_.layout.size(); }
  void clear(Range keys) const {
    for (Index j = keys.begin; j < keys.end; ++j) {
      std::fill_n(P_ + j * stride_, size(), T(0));
      std::fill_n(dS_ + j * stride_, size(), T(0));
    }
  }
  void compute(Range keys) const {
    multiply_rows(task_.V, keys, panel_.dO, store_to(dS_));  // dP = V dOᵀ
    differentiate(keys);
  }
  void compute_under(const GradientRule<T>& rule, Range keys, Coverage coverage) const {
    multiply_rows(task_.V, keys, panel_.dO, store_to(dS_));
    multiply_rows(task_.K, keys, panel_.Q, store_to(P_));
    const Range places{keys_.begin + keys.begin, keys_.begin + keys.end};
    for (Index lane = 0; lane < size(); lane += lanes) {
      const Index first = keys.begin * stride_ + lane;
      const Range queries{panel_.queries.begin + lane, panel_.queries.end};
      rule.differentiate(
          coverage,
          GradientColumn<T>{score_column(task_, queries, places, P_ + first, stride_), dS_ + first,
                            panel_.log_sum_exp + lane, panel_.D + lane},
          task_.dropout);
    }
  }

  /// Keeps a register block in a tile, as it is.
  auto store_to(T* tile) const {
    return [tile, stride = stride_](Index j, const auto& C) {
      C.for_each([&](int r, int w, const Vector& x) {
        simd::store(tile + (j + r) * stride + w * lanes, x);
      });
    };
  }
  /// S = K Qᵀ, and at once P and dS, for keys that all queries attend to, their scores as they are.
  void differentiate(Range keys) const {
    multiply_rows(task_.K, keys, panel_.Q,
                  [P = P_, dS = dS_, stride = stride_, lse = panel_.log_sum_exp, D = panel_.D](
                      Index j, const auto& S) {
#pragma GCC unroll 16
                    for (int r = 0; r < S.height; ++r)
                      differentiate_row(S.rows[r], P + (j + r) * stride, dS + (j + r) * stride, lse,
                                        D);
                  });
  }
  /// P and dS of one key, from its scores S and dP in the place of dS.
  template <Index W>
  static EIGEN_ALWAYS_INLINE void differentiate_row(const simd::Array<Vector, W>& S, T* P, T* dS,
                                                    const T* lse, const T* D) {
    simd::Array<Vector, W> p;
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) p[w] = fma(S[w], log2e<T>, -simd::load<Vector>(lse + w * lanes));
    exp2(p);
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) {
      const Vector dP = simd::load<Vector>(dS + w * lanes);
      simd::store(P + w * lanes, p[w]);
      simd::store(dS + w * lanes, p[w] * (dP - simd::load<Vector>(D + w * lanes)));
    }
  }

  /// The product of a tile's rows and a panel; finish(j, C) takes rows from key j of the tile on.
  template <class Rows, class Finish>
  void multiply_rows(const Rows& rows, Range keys, const T* panel, const Finish& finish) const {
    multiply(panel_.layout.width, rows.tile({keys_.begin + keys.begin, keys_.begin + keys.end}),
             keys.size(), PanelRows<T>{panel, size(), rows.columns()},
             [first = keys.begin, finish](Index j, const auto& C) { finish(first + j, C); });
  }

  const Task& task_;
  const GradientPanel<T>& panel_;
  Range keys_;
  T *P_, *dS_;
  Index stride_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
