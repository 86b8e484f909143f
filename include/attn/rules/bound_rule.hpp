#pragma once

#include <attn/core/range.hpp>
#include <attn/rules/rule.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

/// A rule on the scores of one call, with its alignment and the offsets settled: it takes rows
/// 0 … L − 1 and columns 0 … S − 1 of the call where the rule itself takes positions. Kernels ask
/// this, not the rule. It refers to the rule.
template <Rule R>
class BoundRule {
  static_assert(!PlacesRows<R>, "this call is not made for rows that are placed by a rule");

 public:
  /// `call` are the extents of the scores that are computed; `align` is what the call says
  /// (AttentionOptions::align), and a rule's own alignment precedes it; `offsets` say where the
  /// call stands if it is a part of all scores.
  /// Errors: what the rule's `check` throws; ShapeError if the rule needs an alignment and neither
  /// an alignment nor offsets are given, or if the offsets do not fit.
  BoundRule(const R& rule, const ScoreShape& call, std::optional<Align> align,
            const std::optional<Offsets>& offsets = std::nullopt)
      : rule_(rule) {
    const Offsets part = offsets.value_or(Offsets{});
    const ScoreShape all = part.whole(call);
    if constexpr (requires { rule.check(all); }) rule.check(all);
    if constexpr (requires { std::optional<Align>(rule.align); }) {
      if (std::optional<Align>(rule.align)) align = rule.align;
      needs_square_ = !align && !offsets;
      if (needs_square_) expect_square(call);
    }
    at_the_end_ = align == Align::lower_right;
    query_ = part.query + (at_the_end_ ? all.keys - all.queries : 0);
    query_stride_ = static_cast<int>(part.query_stride);
    key_ = part.key;
  }
  BoundRule(const R&&, const ScoreShape&, std::optional<Align>,
            const std::optional<Offsets>& = std::nullopt) = delete;  // the rule would be gone

  /// The same rule on the scores of one sequence of a batch, L×S, aligned by its own lengths.
  /// Errors: ShapeError if an alignment is needed and not given.
  BoundRule on(Index queries, Index keys) const {
    if (needs_square_) expect_square({1, 1, queries, keys});
    BoundRule one = *this;
    one.query_ = at_the_end_ ? keys - queries : 0;
    one.query_stride_ = 1;
    return one;
  }
  /// Rows are from now on those of several heads, `queries` of each, one head after the other. The
  /// rule must be the same for all heads, and change no scores unless each has one query.
  void count_rows_by_heads(Index queries) {
    if (queries == 1) query_stride_ = 0;
    else of_a_head_ = queries;
  }

  static constexpr bool masks = Masks<R>, changes_scores = ChangesScores<R>;
  /// Whether the rule, or one that it is made of, has parameters.
  static constexpr bool has_parameters = HasParameters<R>;
  /// Whether a logit joins the sum of the softmax, see Sink.
  static constexpr bool has_sink = HasSink<R>;
  static constexpr bool learns_sink = LearnsSink<R>;

  bool allows(Position at) const {
    if constexpr (Masks<R>) return rule_.allows(placed(at));
    else return true;
  }
  /// The new score, of a number or of a Dual of one.
  template <class Score>
  Score score(Score s, Position at) const {
    if constexpr (!ChangesScores<R>) return s;
    else if constexpr (ChangesAs<R, Score, Position>) return rule_.score(s, placed(at));
    else {
      static_assert(
          std::is_convertible_v<Score, double>,
          "the score of a rule must be a template, T score(T s, …), to be differentiated");
      return static_cast<Score>(rule_.score(static_cast<double>(s), placed(at)));
    }
  }
  /// The same for `count` queries and one key; lanes after them hold anything.
  template <class Queries>
  typename Queries::Mask allows(const PositionsOf<Queries>& at,
                                [[maybe_unused]] Index count) const {
    using Vector = typename Queries::Vector;
    using T = typename Vector::Scalar;
    if constexpr (MasksVectors<R, Queries>)
      return of_a_head_ == 0 ? rule_.allows(placed(at)) : allows_heads(at, count);
    else return lanes<Vector>(count, [&](Index i) { return T(allows(lane(at, i))); }) != T(0);
  }
  /// The new scores, of a vector or of a Dual of it.
  template <class Score, class Queries>
  Score score(const Score& s, const PositionsOf<Queries>& at, [[maybe_unused]] Index count) const {
    if constexpr (!ChangesScores<R>) return s;
    else if constexpr (ChangesAs<R, Score, PositionsOf<Queries>>) return rule_.score(s, placed(at));
    else return score_lanes(s, at, count);
  }
  /// The new score; for each rule with parameters f(rule, position, derivative of the score by its
  /// parameter).
  template <class T, class F>
  T differentiate(T s, Position at, F&& f) const {
    if constexpr (has_parameters)
      f(rule_, placed(at), static_cast<T>(rule_.parameter_slope(placed(at))));
    return score(s, at);
  }
  /// The logit of a head, log Σ e^z over all sinks; −∞ without one.
  double sink([[maybe_unused]] Index head) const {
    if constexpr (has_sink) return static_cast<double>(rule_.sink(head));
    else return -std::numeric_limits<double>::infinity();
  }
  /// f(rule) for each rule that this one is made of.
  template <class F>
  void visit(F&& f) const {
    f(rule_);
  }
  Coverage cover(Tile tile) const {
    if constexpr (requires {
                    { rule_.cover(tile) } -> std::same_as<Coverage>;
                  }) {
      const Range rows = rows_of_a_head({tile.query_begin, tile.query_end});
      tile.query_begin = query_ + rows.begin * query_stride_;
      tile.query_end = query_ + (rows.end - 1) * query_stride_ + 1;
      tile.key_begin += key_;
      tile.key_end += key_;
      return rule_.cover(tile);
    } else {
      return Masks<R> ? Coverage::partial : Coverage::full;
    }
  }

 private:
  static void expect_square(const ScoreShape& call) {
    if (call.queries == call.keys) return;
    throw ShapeError(
        "ScaledDotProductAttention: a rule about distances needs its alignment named where the "
        "query length L = " +
        std::to_string(call.queries) + " is not the key length S = " + std::to_string(call.keys) +
        ": Align::lower_right (the last query stands at the last key) or Align::upper_left");
  }

  /// The rows of one head that some rows are; all of them if they are those of several.
  Range rows_of_a_head(Range rows) const {
    if (of_a_head_ == 0) return rows;
    const Index first = rows.begin - rows.begin % of_a_head_;
    if (rows.end > first + of_a_head_) return {0, of_a_head_};
    return {rows.begin - first, rows.end - first};
  }
  /// What a rule for vectors allows, asked once for each head that has lanes.
  template <class Queries>
  typename Queries::Mask allows_heads(const PositionsOf<Queries>& at, Index count) const {
    const Index end = at.query.first + count;
    typename Queries::Mask allowed = at.query < at.query.first;
    for (Index row = at.query.first; row < end;) {
      const Index first = row - row % of_a_head_, next = first + of_a_head_;
      const auto lanes_of_head = (at.query >= row) & (at.query < next);
      const PositionsOf<Queries> of_head{at.batch, at.head, at.query - first, at.key};
      allowed = allowed | (lanes_of_head & rule_.allows(placed(of_head)));
      row = next;
    }
    return allowed;
  }

  Position placed(const Position& at) const {
    const Index row = of_a_head_ == 0 ? at.query : at.query % of_a_head_;
    return {at.batch, at.head, query_ + row * query_stride_, key_ + at.key};
  }
  template <class Queries>
  PositionsOf<Queries> placed(const PositionsOf<Queries>& at) const {
    return {at.batch,
            at.head,
            {query_ + at.query.first * query_stride_, at.query.stride * query_stride_},
            key_ + at.key};
  }
  template <class Queries>
  static Position lane(const PositionsOf<Queries>& at, Index i) {
    return {at.batch, at.head, at.query.first + i * at.query.stride, at.key};
  }
  /// f(0), f(1), …, f(count − 1), for a rule that has no formula for a whole vector.
  template <class Vector, class F>
  static Vector lanes(Index count, F&& f) {
    simd::Array<typename Vector::Scalar, Vector::size> lane{};
    for (Index i = 0; i < count; ++i) lane[i] = f(i);
    return Vector::load(lane.data);
  }

  /// A score as a rule is called with it, one at a time.
  template <class T>
  static auto single(T s) {
    if constexpr (ChangesAs<R, simd::Single<T>, Position>) return simd::Single<T>(s);
    else return s;
  }
  template <class Vector, class Queries>
  Vector score_lanes(const Vector& s, const PositionsOf<Queries>& at, Index count) const {
    using T = typename Vector::Scalar;
    simd::Array<T, Vector::size> before;
    s.store(before.data);
    return lanes<Vector>(count, [&](Index i) { return T(score(single(before[i]), lane(at, i))); });
  }
  template <class Vector, class Queries>
  Dual<Vector> score_lanes(const Dual<Vector>& s, const PositionsOf<Queries>& at,
                           Index count) const {
    using T = typename Vector::Scalar;
    simd::Array<T, Vector::size> value, slope, new_slope{};
    s.value.store(value.data);
    s.slope.store(slope.data);
    const Vector new_value = lanes<Vector>(count, [&](Index i) {
      using Number = decltype(single(T()));
      const Dual<Number> changed = score(Dual<Number>(value[i], slope[i]), lane(at, i));
      new_slope[i] = T(changed.slope);
      return T(changed.value);
    });
    return {new_value, Vector::load(new_slope.data)};
  }

  const R& rule_;
  Index query_ = 0, key_ = 0;
  int query_stride_ = 1;
  Index of_a_head_ = 0;  // rows of each head, where they are those of several
  bool at_the_end_ = false, needs_square_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
