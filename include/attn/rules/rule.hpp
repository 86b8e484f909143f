#pragma once

#include <attn/core/row_positions.hpp>
#include <attn/math/dual.hpp>
#include <attn/rules/positions.hpp>
#include <attn/simd/exp.hpp>
#include <attn/simd/standard_functions.hpp>
#include <concepts>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// A rule says what a query may attend to and how scores are changed. It is any copyable struct
/// with one or more of
///   bool allows(Position) const               true = may attend (`mask_mod` of FlexAttention)
///   T score(T scaled_score, Position) const   a new score (`score_mod`); −∞ masks as well
///   double sink(Index head) const             a logit that joins the sum of the softmax, see Sink
/// and optionally
///   Coverage cover(Tile) const
///       says of a rectangle whether it is allowed whole, in part, or not at all, so that kernels
///       skip it, or do not ask element by element (the block mask of FlexAttention)
///   void check(ScoreShape) const
///       throws where the rule does not fit the extents of all scores; it is called once, before
///       anything is computed
///   std::optional<Align> align
///       a member that names the rule's alignment; with L ≠ S somebody must then name one
///   static constexpr bool same_for_heads = true
///       says that the rule never reads the head of a position: query heads that share keys may
///       then be computed together, which makes decoding with grouped-query attention faster; the
///       head that it is asked with means nothing then
/// A rule that derives from one of the library's inherits `cover` and `same_for_heads`: it must say
/// them anew where its `allows` is another.
///
/// Speed: written with `const auto& at` (and `auto` for the result of `allows`) instead of
/// `Position`, the same formula is evaluated for a vector of queries at once: T is then
/// simd::Vector, at.query an IndexVector, and `T(at.query - at.key)` their distances. Lanes after
/// the last query are evaluated too. Otherwise `score`, if it is a template, is called with
/// simd::Single, a number whose tanh and exp are fast. In both cases functions are called
/// unqualified, after `using std::tanh;`.
/// Gradients: `score` is called with Dual numbers for its derivative, so it must be a template to
/// be trained through.
template <class R>
concept Masks = requires(const R& rule, Position at) {
  { rule.allows(at) } -> std::convertible_to<bool>;
};
template <class R>
concept ChangesScores = requires(const R& rule, double s, Position at) {
  { rule.score(s, at) } -> std::convertible_to<double>;
};
template <class R, class Queries>
concept MasksVectors = requires(const R& rule, const PositionsOf<Queries>& at) {
  { rule.allows(at) } -> std::same_as<typename Queries::Mask>;
};
/// Whether a rule changes scores of type `Score` at places of type `At`: a score is a number, a
/// vector, or a Dual of one.
template <class R, class Score, class At>
concept ChangesAs = requires(const R& rule, Score s, const At& at) {
  { rule.score(s, at) } -> std::same_as<Score>;
};
/// A rule that adds a logit to the sum of the softmax, see Sink.
template <class R>
concept HasSink = requires(const R& rule, Index head) {
  { rule.sink(head) } -> std::convertible_to<double>;
};
/// The same with learned logits: `gradient()` has an element for each head, or one for all.
template <class R>
concept LearnsSink = HasSink<R> && requires(const R& rule) { rule.gradient(); };
/// A rule with learned parameters: each score depends on one of them, element `parameter(at)` of
/// `gradient()`, and its derivative by it is `parameter_slope(at)`.
template <class R>
concept HasParameters = requires(const R& rule, Position at) {
  { rule.parameter(at) } -> std::convertible_to<Index>;
  { rule.parameter_slope(at) } -> std::convertible_to<double>;
  rule.gradient();
};
/// Whether a rule says that it is the same for all heads.
template <class R>
concept SameForHeads = requires { requires R::same_for_heads; };
/// A rule that also says where the rows of a batch stand, if not one after the other: sequences
/// side by side (Packed), or some positions of a sequence (mpi::Divided). Layers take positions
/// from it. `rows_of_all()` gives the place of each query among all rows, those of the padded batch
/// or of the whole sequence, for which dropout is drawn. It is the outer rule, and `rows & rule` is
/// the same rows under a rule.
template <class R>
concept PlacesRows = requires(const R& rows, ScoreShape scores, Align align) {
  rows.check(scores);
  { rows.query_positions(align) } -> std::convertible_to<std::vector<Index>>;
  { rows.key_positions() } -> std::convertible_to<std::vector<Index>>;
  { rows.longest() } -> std::convertible_to<Index>;
  { rows.rows_of_all() } -> std::convertible_to<RowPositions>;
};
template <class R>
concept Rule =
    std::copy_constructible<R> && (Masks<R> || ChangesScores<R> || HasSink<R> || PlacesRows<R>);

}  // namespace ATTN_ABI
}  // namespace attn
