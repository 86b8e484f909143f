#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_SCORE_TILE_HPP
#define ATTN_ATTENTION_SCORE_TILE_HPP

#include <attn/attention/few_queries.hpp>
#include <attn/attention/kernel.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// What the tiles of a kernel ask a rule, through pointers to functions: a kernel is compiled once,
/// and of a rule what the pointers point to. It refers to the rule.
class TileRule {
 public:
  template <class R>
  explicit TileRule(const R& rule)
      : changes_scores(R::changes_scores), rule_(&rule), cover_(&cover_of<R>) {}

  const bool changes_scores;
  Coverage cover(const Tile& tile) const { return cover_(rule_, tile); }

 protected:
  template <class R>
  static const R& as(const void* rule) {
    return *static_cast<const R*>(rule);
  }
  const void* const rule_;

 private:
  template <class R>
  static Coverage cover_of(const void* rule, const Tile& tile) {
    return as<R>(rule).cover(tile);
  }
  Coverage (*const cover_)(const void*, const Tile&);
};

/// The keys of a tile that some query of a panel attends to, from the first to the last, counted
/// from the tile's first key.
struct AttendedKeys {
  Index begin = 0, end = 0;
  bool masked = false;  ///< whether a score among them may be −∞

  Index size() const { return end - begin; }
  bool empty() const { return begin >= end; }

  /// Computes the scores of a tile, key ranges in order: keys that are allowed whole, or not at
  /// all, together, others by halves, down to the block of a register block. The ranges go to
  ///   scores.compute(keys)                         where every score stays as it is
  ///   scores.compute_under(rule, keys, coverage)   where the rule must be asked
  ///   scores.clear(keys)                           where none is allowed, between attended keys
  template <class R, class Scores>
  void visit(const R& rule, const Tile& tile, Coverage coverage, Scores& scores) {
    visit_part(rule, tile, coverage, tile.key_begin, scores);
  }

 private:
  template <class R, class Scores>
  [[gnu::noinline]] void visit_part(const R& rule, const Tile& tile, Coverage coverage, Index first,
                                    Scores& scores) {
    const Index block = scores.block();
    const Index n = tile.key_end - tile.key_begin;
    if (coverage != Coverage::partial || n <= block)
      return take(rule, {tile.key_begin - first, tile.key_end - first}, coverage, scores);
    const Index middle = tile.key_begin + (n + 2 * block - 1) / (2 * block) * block;
    Tile left = tile, right = tile;
    left.key_end = middle;
    right.key_begin = middle;
    visit_part(rule, left, rule.cover(left), first, scores);
    visit_part(rule, right, rule.cover(right), first, scores);
  }
  template <class R, class Scores>
  void take(const R& rule, Range keys, Coverage coverage, Scores& scores) {
    if (coverage == Coverage::empty) {
      if (end == 0) {
        begin = keys.end;
      } else {
        masked = true;
        scores.clear(keys);
      }
      return;
    }
    end = keys.end;
    if (coverage == Coverage::full && scores.keeps_scores(rule)) {
      scores.compute(keys);
    } else {
      masked = true;
      scores.compute_under(rule, keys, coverage);
    }
  }
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/attention/score_tile.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Memory for the scores of a panel of queries against a tile of keys, and for FewQueries.
template <class T>
constexpr Index tile_scores_size() {
  return padded_size(tiled_keys + simd::lanes<T>) * panel_rows<T>;
}
template <class T>
constexpr Index scores_size(Index E) {
  return tile_scores_size<T>() + FewQueries<T>::size(E);
}
/// Whether the products of a panel of one vector are those of FewQueries.
template <class Task, class T = typename Task::Scalar>
inline constexpr bool has_few_queries =
    FewKeys<typename Task::KeyRows, T> && FewValues<typename Task::ValueRows, T>;
template <class T>
FewQueries<T> few_queries(Range queries, T* scores) {
  return {queries.size(), scores + tile_scores_size<T>()};
}

/// The scores of a vector of queries against some keys, `stride` apart in memory. `first` is the
/// place of the first key; `count` queries are meant, and the lanes after them hold anything.
template <class T>
struct ScoreColumn {
  PositionsOf<IndexVector<T> > first;
  Index count;
  Index keys;
  T* S;
  Index stride;

  PositionsOf<IndexVector<T> > at(Index j) const {
    return {first.batch, first.head, first.query, first.key + j};
  }
};
template <class Task, class T = typename Task::Scalar>
ScoreColumn<T> score_column(const Task& task, Range queries, Range keys, T* S, Index stride) {
  const Index count = std::clamp<Index>(queries.size(), 0, simd::lanes<T>);
  const PositionsOf<IndexVector<T> > first{
      task.batch, task.head, {task.row + queries.begin}, keys.begin};
  return {first, count, keys.size(), S, stride};
}

/// S ← rule(S), and the largest score of each query. Score changes act on the scaled scores, and
/// masks come last; what is masked in all lanes need not be changed.
template <class R, class T>
ATTN_FLATTEN void apply_rule(const R& rule, [[maybe_unused]] Coverage coverage,
                             const ScoreColumn<T>& column, T* maximum) {
  using Vector = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  Vector m = simd::load<Vector>(maximum);
  for (Index j = 0; j < column.keys; ++j) {
    const auto at = column.at(j);
    Vector s = simd::load<Vector>(column.S + j * column.stride);
    if (!R::masks || coverage == Coverage::full) {
      s = rule.score(s, at, column.count);
    } else {
      const auto allowed = rule.allows(at, column.count);
      s = !R::changes_scores || any(allowed)
              ? select(allowed, rule.score(s, at, column.count), none)
              : Vector(none);
    }
    simd::store(column.S + j * column.stride, s);
    m = max(m, s);
  }
  simd::store(maximum, m);
}

/// A rule as the tiles of scores ask it.
template <class T>
class ScoreRule : public TileRule {
 public:
  template <class R>
  ScoreRule(const R& rule) : TileRule(rule), apply_(&apply_of<R>) {}

  /// apply_rule
  void apply(Coverage coverage, const ScoreColumn<T>& column, T* maximum) const {
    apply_(rule_, coverage, column, maximum);
  }

 private:
  template <class R>
  static void apply_of(const void* rule, Coverage coverage, const ScoreColumn<T>& column,
                       T* maximum) {
    apply_rule(as<R>(rule), coverage, column, maximum);
  }
  void (*const apply_)(const void*, Coverage, const ScoreColumn<T>&, T*);
};

/// S = rule(scale · Q Kᵀ), the scores of a panel of queries against a tile of keys. In memory the
/// scores of one key follow those of another, with a query in each lane. Keys that
/// the rule excludes for the whole panel are not computed.
template <class Task>
class ScoreTile {
  using T = typename Task::Scalar;
  using Vector = simd::Vector<T>;
  using Maxima = simd::Array<T, panel_rows<T> >;
  static constexpr T none = -std::numeric_limits<T>::infinity();

 public:
  AttendedKeys attended;
  Maxima maximum;  ///< of each query; it may pass over a NaN, whose weight is NaN too

  /// `queries` are rows of task.Q, and `Q` is what QueryPanel packs of them. `S` is memory of
  /// `scores_size` elements.
  ScoreTile(const Task& task, Range queries, const T* Q, Range keys, T* S)
      : task_(task),
        queries_(queries),
        keys_(keys),
        panel_(Panel<T>::of(queries.size())),
        Q_(Q),
        S_(S) {}

  /// `coverage` is what the rule says of the whole tile.
  void compute(const ScoreRule<T>& rule, Coverage coverage) {
    std::fill_n(maximum.data, panel_.size(), none);
    attended.visit(rule, task_.tile(queries_, keys_), coverage, *this);
  }

 private:
  friend AttendedKeys;

  static bool keeps_scores(const ScoreRule<T>& rule) { return !rule.changes_scores; }
  Index block() const { return panel_.height(); }
  void clear(Range keys) const {
    std::fill(S_ + keys.begin * panel_.size(), S_ + keys.end * panel_.size(), none);
  }
  void compute(Range keys) { multiply_keys(keys, maximum); }
  void compute_under(const ScoreRule<T>& rule, Range keys, Coverage coverage) {
    Maxima before_rule{};
    multiply_keys(keys, before_rule);
    const Range places{keys_.begin + keys.begin, keys_.begin + keys.end};
    const Index size = panel_.size();
    for (Index lane = 0; lane < size; lane += Vector::size) {
      T* const S = S_ + keys.begin * size + lane;
      const Range queries{queries_.begin + lane, queries_.end};
      rule.apply(coverage, score_column(task_, queries, places, S, size), maximum.data + lane);
    }
  }

  /// S = K Qᵀ, and the largest score of each query.
  void multiply_keys(Range keys, Maxima& largest) const {
    const Range places{keys_.begin + keys.begin, keys_.begin + keys.end};
    const Index size = panel_.size();
    if constexpr (has_few_queries<Task>)
      if (panel_.width == 1)
        return few_queries<T>(queries_, S_)
            .scores(FewQueries<T>::packed_queries(Q_, task_.Q.cols()),
                    KeysAndValues<Task>{task_, places}, S_ + keys.begin * size, largest.data);
    const auto finish = [S = S_ + keys.begin * size, size, most = largest.data](Index j,
                                                                                const auto& C) {
      constexpr int W = std::remove_cvref_t<decltype(C)>::width;
      simd::Array<Vector, W> m;
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) m[w] = simd::load<Vector>(most + w * Vector::size);
      C.for_each([&](int r, int w, const Vector& score) {
        simd::store(S + (j + r) * size + w * Vector::size, score);
        m[w] = max(m[w], score);
      });
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) simd::store(most + w * Vector::size, m[w]);
    };
    multiply<16, has_few_queries<Task> ? 2 : 1>(panel_.width, task_.K.tile(places), keys.size(),
                                                PanelRows<T>{Q_, size, task_.Q.cols()}, finish);
  }

  const Task& task_;
  Range queries_, keys_;
  Panel<T> panel_;
  const T* Q_;
  T* S_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
