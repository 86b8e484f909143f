#pragma once

#include <attn/core/shape.hpp>
#include <attn/math/dual.hpp>
#include <attn/simd/exp.hpp>
#include <attn/simd/square_root.hpp>
#include <attn/simd/standard_functions.hpp>
#include <attn/simd/index_vector.hpp>
#include <concepts>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// One score: query `query` of head `head` in sequence `batch` against key `key`. `query` is
/// counted in key positions (see Align), so that `at.query - at.key` is the distance between the
/// two whatever part of the queries is computed.
struct Position {
  Index batch = 0, head = 0, query = 0, key = 0;
};

/// A rectangle of scores of one head, ends excluded. Queries are counted as in Position.
struct Tile {
  Index batch, head, query_begin, query_end, key_begin, key_end;
};

/// What a rule says of a tile: no score in it is allowed, some may be, all are.
enum class Cover { none, part, all };

/// Where query 0 stands when there are L queries and S keys: at key 0 (PyTorch's `is_causal`), or
/// so that the last query stands at the last key (decoding with a cache, FlashAttention ≥ 2.1).
/// With L = S both are the same.
enum class Align { upper_left, lower_right };

/// The extents of the scores that a rule is asked about: B, H, L, S.
struct ScoreShape {
  Index batch, heads, queries, keys;
};

/// A rule says what a query may look at and how scores are changed: any copyable struct with one or
/// both of
///   bool allows(Position) const         true = may attend
///   T score(T scaled_score, Position) const   a new score; −inf masks as well
/// and, if it likes,
///   Cover cover(Tile) const             lets kernels skip tiles, or not ask element by element
///   void check(ScoreShape) const        throws where the rule does not fit the shape; called once
///   before anything is computed std::optional<Align> align          a member that names its
///   alignment; with L ≠ S it must then be named
///
/// Speed: written with `const auto& at` (and `auto` for the answer of `allows`) instead of
/// `Position`, the same formula is asked for a vector of queries at once: T is then simd::Vector,
/// at.query an IndexVector, and `T(at.query - at.key)` their distances. Lanes after the last query
/// are asked too. Otherwise `score` is asked with simd::Single, if it is a template: a number whose
/// tanh and exp are fast. In both cases functions are called unqualified, after `using std::tanh;`.
/// Gradients: `score` is asked with Dual numbers for its derivative, so that it must be a template
/// to be trained through.
template <class R>
concept Masks = requires(const R& rule, Position at) {
  { rule.allows(at) } -> std::convertible_to<bool>;
};
template <class R>
concept ChangesScores = requires(const R& rule, double s, Position at) {
  { rule.score(s, at) } -> std::convertible_to<double>;
};
template <class R, class T>
concept MasksVectors = requires(const R& rule, const Positions<T>& at) {
  { rule.allows(at) } -> std::same_as<typename IndexVector<T>::Mask>;
};
/// Whether scores of the kind S can be asked for at places At: S is a number, a vector, or a Dual
/// of one.
template <class R, class S, class At>
concept ChangesAs = requires(const R& rule, S s, const At& at) {
  { rule.score(s, at) } -> std::same_as<S>;
};
/// A rule with numbers that are learned: with each score goes one of them, number `parameter(at)`
/// of `gradient()`, by which the new score has the derivative `parameter_slope(at)`.
template <class R>
concept Learns = requires(const R& rule, Position at) {
  { rule.parameter(at) } -> std::convertible_to<Index>;
  { rule.parameter_slope(at) } -> std::convertible_to<double>;
  rule.gradient();
};
template <class R>
concept Rule = std::copy_constructible<R> && (Masks<R> || ChangesScores<R>);

/// Key positions from query 0 to key 0.
constexpr Index query_offset(Align align, const ScoreShape& shape) {
  return align == Align::lower_right ? shape.keys - shape.queries : 0;
}

/// A rule on an L×S matrix of scores, its alignment settled: takes rows 0 … L−1 where the rule
/// itself takes key positions. This, not the rule, is what kernels ask. It refers to the rule.
template <Rule R>
class Bound {
 public:
  /// `align` is what the call says (AttentionOptions::align); a rule's own word goes before it.
  /// Errors: what the rule's `check` throws; ShapeError if the rule needs an alignment and nobody
  /// names one.
  Bound(const R& rule, const ScoreShape& shape, std::optional<Align> align) : rule_(rule) {
    if constexpr (requires { rule.check(shape); }) rule.check(shape);
    if constexpr (requires { std::optional<Align>(rule.align); }) {
      if (std::optional<Align>(rule.align)) align = rule.align;
      if (!align && shape.queries != shape.keys)
        throw ShapeError(
            "ScaledDotProductAttention: a rule about distances needs its alignment named where the "
            "query length L = " +
            std::to_string(shape.queries) +
            " is not the key length S = " + std::to_string(shape.keys) +
            ": Align::lower_right (the last query stands at the last key) or Align::upper_left");
    }
    offset_ = query_offset(align.value_or(Align::upper_left), shape);
  }
  Bound(const R&&, const ScoreShape&,
        std::optional<Align>) = delete;  // it would refer to a rule that is gone

  static constexpr bool masks = Masks<R>, changes_scores = ChangesScores<R>;

  bool allows(Position at) const {
    if constexpr (Masks<R>) return rule_.allows(shifted(at));
    else return true;
  }
  /// S is a number, or a Dual of one.
  template <class S>
  S score(S s, Position at) const {
    if constexpr (!ChangesScores<R>) return s;
    else if constexpr (ChangesAs<R, S, Position>) return rule_.score(s, shifted(at));
    else {
      static_assert(
          std::is_convertible_v<S, double>,
          "the score of a rule must be a template, T score(T s, …), to be differentiated");
      return static_cast<S>(
          rule_.score(static_cast<double>(s), shifted(at)));  // a rule that is written in double
    }
  }
  /// The same for `count` queries and one key; lanes after them hold anything.
  template <class T>
  typename IndexVector<T>::Mask allows(const Positions<T>& at, [[maybe_unused]] Index count) const {
    if constexpr (MasksVectors<R, T>) return rule_.allows(shifted(at));
    else return lanes<T>(count, [&](Index i) { return T(allows(lane(at, i))); }) != T(0);
  }
  /// S is simd::Vector<T>, or a Dual of it.
  template <class S, class T>
  S score(const S& s, const Positions<T>& at, [[maybe_unused]] Index count) const {
    if constexpr (!ChangesScores<R>) return s;
    else if constexpr (ChangesAs<R, S, Positions<T>>) return rule_.score(s, shifted(at));
    else return score_lanes(s, at, count);
  }
  /// Rules that learn, of this and those that it is made of.
  static constexpr bool learns = Learns<R>;
  /// The new score, and for each rule that learns f(rule, position, derivative of the score by its
  /// parameter).
  template <class T, class F>
  T differentiate(T s, Position at, F&& f) const {
    if constexpr (learns) f(rule_, shifted(at), static_cast<T>(rule_.parameter_slope(shifted(at))));
    return score(s, at);
  }
  Cover cover(Tile tile) const {
    tile.query_begin += offset_, tile.query_end += offset_;
    if constexpr (requires {
                    { rule_.cover(tile) } -> std::same_as<Cover>;
                  })
      return rule_.cover(tile);
    else return Masks<R> ? Cover::part : Cover::all;
  }

 private:
  template <class At>
  At shifted(At at) const {
    at.query = at.query + offset_;
    return at;
  }
  template <class T>
  static Position lane(const Positions<T>& at, Index i) {
    return {at.batch, at.head, at.query.first + i, at.key};
  }
  /// f(0), f(1), …, f(count − 1): what a rule has no formula for all at once for.
  template <class T, class F>
  static simd::Vector<T> lanes(Index count, F&& f) {
    simd::Array<T, simd::lanes<T>> lane{};
    for (Index i = 0; i < count; ++i) lane[i] = f(i);
    return simd::load<simd::Vector<T>>(lane.data);
  }

  /// A number as a rule is asked with it, one at a time.
  template <class T>
  static auto single(T s) {
    if constexpr (ChangesAs<R, simd::Single<T>, Position>) return simd::Single<T>(s);
    else return s;
  }
  template <class T>
  simd::Vector<T> score_lanes(const simd::Vector<T>& s, const Positions<T>& at, Index count) const {
    simd::Array<T, simd::lanes<T>> before;
    simd::store(before.data, s);
    return lanes<T>(count, [&](Index i) { return T(score(single(before[i]), lane(at, i))); });
  }
  template <class T>
  Dual<simd::Vector<T>> score_lanes(const Dual<simd::Vector<T>>& s, const Positions<T>& at,
                                    Index count) const {
    simd::Array<T, simd::lanes<T>> value, slope, new_slope{};
    simd::store(value.data, s.value), simd::store(slope.data, s.slope);
    const simd::Vector<T> new_value = lanes<T>(count, [&](Index i) {
      using Number = decltype(single(T()));
      const Dual<Number> changed = score(Dual<Number>(value[i], slope[i]), lane(at, i));
      new_slope[i] = T(changed.slope);
      return T(changed.value);
    });
    return {new_value, simd::load<simd::Vector<T>>(new_slope.data)};
  }

  const R& rule_;
  Index offset_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
