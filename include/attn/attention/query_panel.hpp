#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_QUERY_PANEL_HPP
#define ATTN_ATTENTION_QUERY_PANEL_HPP

#include <attn/attention/exponentials.hpp>
#include <attn/math/online_softmax.hpp>

#define ATTN_KERNELS <attn/attention/query_panel.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Elements of memory that a panel of queries needs.
template <class T>
constexpr Index query_panel_size(Index E, Index Ev) {
  return (padded_size(E) + padded_size(Ev) + 2) * panel_rows<T>;
}

/// A panel of queries while it passes over the keys, in memory of `query_panel_size` elements: Q as
/// `pack_queries` writes it, O (Ev columns of a panel), and the softmax of the scores so far of
/// each query, its maximum m and its sum ℓ.
template <class Task>
class QueryPanel {
  using T = typename Task::Scalar;
  using Vector = simd::Vector<T>;
  using Vectors = simd::Array<Vector, Panel<T>::widest>;
  using Softmax = OnlineSoftmax<Vector>;
  using Values = typename Task::ValueRows;
  static constexpr Index lanes = Vector::size;
  static constexpr T none = -std::numeric_limits<T>::infinity();

 public:
  using Scores = ScoreTile<Task>;

  /// The panel begins with row `row` of task.Q. `scores` is memory for the scores of a tile,
  /// padded.
  QueryPanel(const Task& task, Index row, T* memory, T* scores)
      : task_(task),
        panel_(Panel<T>::of(task.Q.rows() - row)),
        queries_{row, std::min(row + panel_.size(), task.Q.rows())},
        Q_(memory),
        O_(Q_ + padded_size(task.Q.cols()) * panel_.size()),
        m_(O_ + padded_size(task.V.columns()) * panel_.size()),
        l_(m_ + panel_.size()),
        S_(scores) {}

  /// Rows of task.Q that it holds.
  Range queries() const { return queries_; }

  /// O = 0   ℓ = 0   m = −∞   [FA2 Alg.1, line 4]
  void begin() const {
    pack_queries();
    std::fill_n(m_, panel_.size(), none);
    std::fill_n(l_, panel_.size(), T(0));
    std::fill(O_, m_, T(0));
  }

  /// S = Q Kᵀ under the rule   [FA2 Alg.1, line 8]. `coverage` is what the rule says of these keys
  /// and all queries of the task.
  [[gnu::noinline]] Scores scores(const ScoreRule<T>& rule, Range keys, Coverage coverage) const {
    Scores tile(task_, queries_, Q_, keys, S_);
    const bool all_queries = queries_.size() == task_.Q.rows();
    if (coverage == Coverage::partial && !all_queries)
      coverage = rule.cover(task_.tile(queries_, keys));
    tile.compute(rule, coverage);
    return tile;
  }

  /// Adds a tile of keys under the rule.
  void attend(const ScoreRule<T>& rule, Range keys, Coverage coverage,
              RowTile<T, Values>& values) const {
    if constexpr (has_few_queries<Task>)
      if (panel_.width == 1 && coverage == Coverage::full && !rule.changes_scores && !task_.dropout)
        return add_rows(keys);
    add(scores(rule, keys, coverage), values);
  }
  /// Adds a tile of keys, which has a maximum m' = max S and a sum ℓ' of its own   [FA2 Alg.1,
  /// lines 9–10]
  ///   P = e^(S − m')   ℓ' = Σ P   (m, ℓ) ← (m, ℓ) merged with (m', ℓ')
  ///   O ← e^(m_old − m) O + e^(m' − m) P V
  /// Numerics: a tile is summed from zero and then added, so that rounding errors do not grow with
  /// S. Where a key is masked, its value is not computed with, be it NaN.
  void add(const Scores& scores, RowTile<T, Values>& values) const {
    const AttendedKeys& keys = scores.attended;
    if (keys.empty()) return;
    const bool unmasked_only = keys.masked && !values.finite();
    Vectors previous, added;
    for (int w = 0; w < panel_.width; ++w) {
      const Vector maximum = log2e<T> * simd::load<Vector>(scores.maximum.data + w * lanes);
      const Vector sum =
          exponentials(column(keys, w), Softmax::finite_or_0(maximum), unmasked_only);
      const auto factors = merge(w, {maximum, sum});
      previous[w] = factors.previous;
      added[w] = factors.added;
    }
    if (task_.dropout) drop(keys, values.range().begin);
    if constexpr (has_few_queries<Task>)
      if (panel_.width == 1 && !unmasked_only) {
        const Index first = values.range().begin;
        const KeysAndValues<Task> tile{task_, {first + keys.begin, first + keys.end}};
        const LeftFactor<T> P = FewQueries<T>::left_factor(weights(keys));
        return few_queries<T>(queries_, S_).add_values(P, tile, O_, {previous[0], added[0]});
      }
    const auto V_tile = values.transposed(keys.begin);
    if (unmasked_only) add_unmasked_values(keys, V_tile, previous, added);
    else add_values(keys, V_tile, previous, added);
  }

  /// The state: m, ℓ and O. States of different keys merge as the panel merges with a tile.
  static Index state_size(const Panel<T>& panel, Index Ev) { return (Ev + 2) * panel.size(); }
  Index state_size() const { return state_size(panel_, task_.V.columns()); }
  /// The state of no keys; returns its end.
  static T* begin_state(const Panel<T>& panel, Index Ev, T* state) {
    T* const sums = std::fill_n(state, panel.size(), none);
    return std::fill_n(sums, (Ev + 1) * panel.size(), T(0));
  }
  /// Begins with a state.
  void resume(const T* state) const {
    const Index size = panel_.size();
    pack_queries();
    std::copy_n(state, size, m_);
    std::copy_n(state + size, size, l_);
    std::copy_n(state + 2 * size, task_.V.columns() * size, O_);
    std::fill(O_ + task_.V.columns() * size, m_, T(0));
  }
  void save(T* state) const {
    const Index size = panel_.size();
    std::copy_n(m_, size, state);
    std::copy_n(l_, size, state + size);
    std::copy_n(O_, task_.V.columns() * size, state + 2 * size);
  }
  /// O ← e^(m_old − m) O + e^(m' − m) O'
  void merge(const T* state) const {
    const Index size = panel_.size();
    for (int w = 0; w < panel_.width; ++w) {
      const T* const other = state + w * lanes;
      const auto factors = merge(w, {simd::load<Vector>(other), simd::load<Vector>(other + size)});
      for (Index e = 0; e < task_.V.columns(); ++e) {
        T* const o = O_ + e * size + w * lanes;
        simd::store(o, fma(simd::load<Vector>(o), factors.previous,
                           simd::load<Vector>(other + (e + 2) * size) * factors.added));
      }
    }
  }

  /// O ← O / ℓ   log Σ e^s = m + log ℓ   [FA2 Alg.1, lines 12–13], after the sinks have joined ℓ
  void finish(const HeadOutputs<T>& outputs) const {
    if (!task_.sinks.empty()) add_sinks();
    panel_.unpack(O_, inverse_sums(), part_of(outputs.output, queries_));
    if (!outputs.log_sum_exp) return;
    for (Index i = 0; i < queries_.size(); ++i)
      (*outputs.log_sum_exp)(queries_.begin + i) = OnlineSoftmax<T>{m_[i], l_[i]}.log_sum_exp();
  }

  /// The weights of a tile of keys, when m and ℓ are those of all keys: P = e^(S − m) / ℓ.
  void write_weights(const Scores& scores, Range keys, const TensorView<T, 2>& output) const {
    MatrixPart<T> weights = part_of(output, queries_);
    weights.data += keys.begin;
    for (Index i = 0; i < weights.rows; ++i)
      std::fill_n(weights.data + i * weights.stride, keys.size(), T(0));
    const AttendedKeys& attended = scores.attended;
    if (attended.empty()) return;
    for (int w = 0; w < panel_.width; ++w)
      exponentials(column(attended, w), Softmax::finite_or_0(simd::load<Vector>(m_ + w * lanes)),
                   false);
    weights.data += attended.begin;
    weights.columns = attended.size();
    panel_.unpack(S_ + attended.begin * panel_.size(), inverse_sums(), weights);
  }

 private:
  /// `add` for few queries that attend to all keys of a tile: lanes run along keys all the way.
  void add_rows(Range keys) const {
    static_assert(ScoreRows<T>::size <= tile_scores_size<T>());
    const FewQueries<T> few = few_queries<T>(queries_, S_);
    const KeysAndValues<Task> tile{task_, keys};
    const ScoreRows<T> P = ScoreRows<T>::in(S_);
    simd::Array<T, lanes> largest, m, sums{};
    std::fill_n(largest.data, lanes, none);
    few.scores(few.packed_queries(Q_, task_.Q.cols()), tile, P, largest.data);
    const Vector maximum = log2e<T> * simd::load<Vector>(largest.data);
    simd::store(m.data, Softmax::finite_or_0(maximum));
    const Index vectors = (keys.size() + lanes - 1) / lanes;
    for (Index i = 0; i < queries_.size(); ++i)
      exponentials<T>({P.row(i), lanes, 0, vectors}, m[i], false);
    P.sum(queries_.size(), keys.size(), sums.data);
    const auto factors = merge(0, {maximum, simd::load<Vector>(sums.data)});
    few.add_values(few.left_factor(P), tile, O_, {factors.previous, factors.added});
  }
  /// Q, multiplied by the scale: the E columns of a panel, or, where the panel is one vector and
  /// its products are those of FewQueries, a row for each query.
  void pack_queries() const {
    const MatrixPart<const T> Q = part_of(task_.Q, queries_);
    if constexpr (has_few_queries<Task>)
      if (panel_.width == 1) return FewQueries<T>::pack_queries(Q, task_.scale, Q_);
    panel_.pack(Q, task_.scale, Q_);
  }
  /// Merges a tile's softmax into that of vector w of the queries.
  typename Softmax::Factors merge(int w, const Softmax& tile) const {
    Softmax all{simd::load<Vector>(m_ + w * lanes), simd::load<Vector>(l_ + w * lanes)};
    const auto factors = all.merge(tile);
    simd::store(m_ + w * lanes, all.maximum);
    simd::store(l_ + w * lanes, all.sum);
    return factors;
  }
  /// The sink of each query, a score without a value, merges as a tile does.
  void add_sinks() const {
    const Index size = panel_.size();
    for (int w = 0; w < panel_.width; ++w) {
      simd::Array<T, lanes> logits;
      for (Index i = 0; i < lanes; ++i) {
        const Index row = queries_.begin + w * lanes + i;
        logits[i] = row < queries_.end ? log2e<T> * task_.sink(row) : none;
      }
      const Vector previous = merge(w, {simd::load<Vector>(logits.data), Vector(T(1))}).previous;
      for (Index e = 0; e < task_.V.columns(); ++e) {
        T* const o = O_ + e * size + w * lanes;
        simd::store(o, simd::load<Vector>(o) * previous);
      }
    }
  }
  /// 1/ℓ; 0 for a query that attends to nothing.
  Vectors inverse_sums() const {
    Vectors inverse;
    for (int w = 0; w < panel_.width; ++w) {
      const Vector l = simd::load<Vector>(l_ + w * lanes);
      inverse[w] = select(l == T(0), T(0), T(1) / l);
    }
    return inverse;
  }

  /// P ← P ∘ M; ℓ is that of P as it was.
  void drop(const AttendedKeys& keys, Index first_key) const {
    const Range places{first_key + keys.begin, first_key + keys.end};
    const Index size = panel_.size();
    for (Index lane = 0; lane < size; lane += lanes) {
      const Range queries{queries_.begin + lane, queries_.end};
      T* const P = S_ + keys.begin * size + lane;
      drop_weights(*task_.dropout, score_column(task_, queries, places, P, size));
    }
  }

  /// The weights of some keys as a right factor.
  PanelRows<T> weights(const AttendedKeys& keys) const {
    return {S_ + keys.begin * panel_.size(), panel_.size(), keys.size()};
  }
  /// Vector w of the scores of some keys.
  WeightColumn<T> column(const AttendedKeys& keys, int w) const {
    return {S_ + w * lanes, panel_.size(), keys.begin, keys.end};
  }
  /// O ← previous · O + added · P V
  template <class Factor>
  void add_values(const AttendedKeys& keys, const Factor& V_tile, const Vectors& previous,
                  const Vectors& added) const {
    const auto finish = [O = O_, size = panel_.size(), &previous, &added](Index e, const auto& PV) {
      PV.for_each([&](int r, int w, const Vector& x) {
        T* const o = O + (e + r) * size + w * lanes;
        simd::store(o, fma(simd::load<Vector>(o), previous[w], x * added[w]));
      });
    };
    multiply<16, has_few_queries<Task> ? 2 : 1>(panel_.width, V_tile, task_.V.columns(),
                                                weights(keys), finish);
  }
  /// The same, bitwise, where V is finite; elsewhere a value that is masked, −1 in P, is left out.
  template <class Factor>
  void add_unmasked_values(const AttendedKeys& keys, const Factor& V_tile, const Vectors& previous,
                           const Vectors& added) const {
    const Index size = panel_.size();
    for (Index e = 0; e < task_.V.columns(); ++e)
      for (int w = 0; w < panel_.width; ++w) {
        Vector PV = T(0);
        for (Index j = keys.begin; j < keys.end; ++j) {
          const Vector p = simd::load<Vector>(S_ + j * size + w * lanes),
                       value = V_tile.load(V_tile.at(e, j - keys.begin), 0);
          PV = select(p < T(0), PV, fma(value, p, PV));
        }
        T* const o = O_ + e * size + w * lanes;
        simd::store(o, fma(simd::load<Vector>(o), previous[w], PV * added[w]));
      }
  }

  const Task& task_;
  Panel<T> panel_;
  Range queries_;
  T *Q_, *O_, *m_, *l_, *S_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
