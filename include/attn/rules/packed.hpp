#pragma once

#include <attn/core/range.hpp>
#include <attn/rules/combine.hpp>
#include <attn/rules/no_mask.hpp>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Sequences of different lengths side by side, without padding, as FlashAttention's
/// `flash_attn_varlen_func` takes them: sequence n has rows offsets[n] … offsets[n + 1] − 1 of a
/// batch of 1, and attends to itself alone.
///
///   attend(q, k, v, Packed{{0, 7, 20, 31}, Causal{}})                  q (1, H, 31, E)
///   attend(q, k, v, Packed{{0, 2, 5}, {0, 40, 90}, Causal{Align::lower_right}})
///   encoder(x, Packed{{0, 7, 20, 31}} & Alibi{slopes})                 x (1, 31, D)
///
/// Keys have offsets of their own where their lengths differ. The rule is asked as for the padded
/// batch of the sequences: `batch` is the number of a sequence, queries and keys are counted within
/// it, an alignment is that of its lengths, and a table (Keep, Bias) has the padded extents, those
/// of the longest sequence. `Packed{offsets} & rule` is `Packed{offsets, rule}`. Copies share the
/// offsets.
/// Semantics: each sequence gets, bitwise, what it gets alone, forward and backward; with dropout,
/// that of layers included, it gets what it gets in the padded batch. Weights are (1, H, T, T'),
/// and 0 between sequences.
/// Errors: OptionError for offsets that do not begin with 0, that descend, or that are not equally
/// many for queries and keys, and if the call has Offsets too; ShapeError if the batch is not 1, or
/// the last offset not the length; what the rule throws.
/// Cost: that of the sequences alone.
template <Rule R = NoMask>
class Packed {
  static_assert(!PlacesRows<R>, "sequences are packed once");

 public:
  R rule;

  explicit Packed(std::vector<Index> offsets, R the_rule = {})
      : rule(std::move(the_rule)), queries_(checked(std::move(offsets))), keys_(queries_) {}
  Packed(std::vector<Index> query_offsets, std::vector<Index> key_offsets, R the_rule = {})
      : rule(std::move(the_rule)),
        queries_(checked(std::move(query_offsets))),
        keys_(checked(std::move(key_offsets))) {
    if (queries_->size() != keys_->size())
      throw OptionError("Packed: " + std::to_string(queries_->size()) + " offsets of queries and " +
                        std::to_string(keys_->size()) + " of keys must be equally many");
  }

  /// The number of sequences.
  Index count() const { return std::ssize(*queries_) - 1; }
  /// The rows of sequence n.
  Range queries(Index n) const { return range(*queries_, n); }
  Range keys(Index n) const { return range(*keys_, n); }
  /// The keys of the longest sequence.
  Index longest() const { return padded(1).keys; }
  /// The extents of the padded batch's scores.
  ScoreShape padded(Index heads) const {
    ScoreShape shape{count(), heads, 0, 0};
    for (Index n = 0; n < count(); ++n) {
      shape.queries = std::max(shape.queries, queries(n).size());
      shape.keys = std::max(shape.keys, keys(n).size());
    }
    return shape;
  }

  /// The place of each key in its sequence.
  std::vector<Index> key_positions() const {
    return positions(*keys_, [](Index) { return 0; });
  }
  /// The place of each query among the keys of its sequence.
  std::vector<Index> query_positions(Align align) const {
    return positions(*queries_, [&](Index n) {
      return align == Align::lower_right ? keys(n).size() - queries(n).size() : 0;
    });
  }

  /// The place of each query among those of the padded batch.
  RowPositions rows_of_all() const {
    const Index longest_queries = padded(1).queries;
    return {positions(*queries_, [&](Index n) { return n * longest_queries; }),
            count() * longest_queries};
  }

  /// The same sequences under another rule.
  template <Rule Other>
  Packed<Other> with(const Other& other) const {
    return Packed<Other>(*this, other);
  }

  /// `call` are the extents T and T' of all scores.
  void check(const ScoreShape& call) const {
    if (call.batch != 1)
      throw ShapeError("Packed: the batch B = " + std::to_string(call.batch) +
                       " must be 1, in which the sequences lie side by side");
    expect_end("queries", queries_->back(), "L", call.queries);
    expect_end("keys", keys_->back(), "S", call.keys);
  }

 private:
  template <Rule Other>
  friend class Packed;
  using SharedOffsets = std::shared_ptr<const std::vector<Index>>;

  template <Rule Other>
  Packed(const Packed<Other>& sequences, const R& the_rule)
      : rule(the_rule), queries_(sequences.queries_), keys_(sequences.keys_) {}

  static SharedOffsets checked(std::vector<Index> offsets) {
    if (offsets.empty() || offsets.front() != 0)
      throw OptionError("Packed: the offsets must begin with 0, not " +
                        (offsets.empty() ? "be empty" : std::to_string(offsets.front())));
    for (std::size_t n = 1; n < offsets.size(); ++n)
      if (offsets[n] < offsets[n - 1])
        throw OptionError("Packed: offset " + std::to_string(offsets[n]) + " must be at least " +
                          std::to_string(offsets[n - 1]) + ", the one before it");
    return std::make_shared<const std::vector<Index>>(std::move(offsets));
  }
  static void expect_end(const char* what, Index end, const char* name, Index length) {
    if (end != length)
      throw ShapeError(std::string("Packed: the last offset of the ") + what + ", " +
                       std::to_string(end) + ", must be their length " + name + " = " +
                       std::to_string(length));
  }
  static Range range(const std::vector<Index>& offsets, Index n) {
    const auto at = static_cast<std::size_t>(n);
    return {offsets[at], offsets[at + 1]};
  }
  /// 0, 1, … within each sequence n, from first(n) on.
  template <class First>
  std::vector<Index> positions(const std::vector<Index>& offsets, First&& first) const {
    std::vector<Index> result;
    result.reserve(static_cast<std::size_t>(offsets.back()));
    for (Index n = 0; n < count(); ++n)
      for (Index i = 0; i < range(offsets, n).size(); ++i) result.push_back(first(n) + i);
    return result;
  }

  SharedOffsets queries_, keys_;
};

namespace detail {
template <class R>
inline constexpr bool is_packed = false;
template <class R>
inline constexpr bool is_packed<Packed<R>> = true;
}  // namespace detail

/// The rule of each sequence. A kernel is never asked under it: each of its tasks is of one
/// sequence.
template <Rule R>
class BoundRule<Packed<R>> {
 public:
  /// Errors: those of Packed; OptionError if there are `offsets`, which cannot place many
  /// sequences.
  BoundRule(const Packed<R>& packed, const ScoreShape& call, std::optional<Align> align,
            const std::optional<Offsets>& offsets = std::nullopt)
      : packed_(packed), padded_(packed.rule, shape_of_padded(packed, call, offsets), align) {
    for (Index n = 0; n < packed.count(); ++n) sequence(n);  // or throws
  }
  BoundRule(const Packed<R>&&, const ScoreShape&, std::optional<Align>,
            const std::optional<Offsets>& = std::nullopt) = delete;

  static constexpr bool has_parameters = BoundRule<R>::has_parameters;
  static constexpr bool has_sink = BoundRule<R>::has_sink;

  const Packed<R>& packed() const { return packed_; }
  double sink(Index head) const { return padded_.sink(head); }
  /// The rule on the scores of sequence n.
  BoundRule<R> sequence(Index n) const {
    return padded_.on(packed_.queries(n).size(), packed_.keys(n).size());
  }

 private:
  static ScoreShape shape_of_padded(const Packed<R>& packed, const ScoreShape& call,
                                    const std::optional<Offsets>& offsets) {
    packed.check(call);
    if (offsets)
      throw OptionError("Packed: sequences of their own offsets must not be placed by Offsets too");
    return packed.padded(call.heads);
  }

  const Packed<R>& packed_;
  BoundRule<R> padded_;
};

/// `Packed{offsets, a} & b` is `Packed{offsets, a & b}`.
template <Rule A, Rule B>
auto operator&(const Packed<A>& a, const B& b) {
  if constexpr (std::is_same_v<A, NoMask>) return a.with(b);
  else return a.with(combine(a.rule, b));
}
template <Rule A, Rule B>
auto operator&(const A& a, const Packed<B>& b) {
  if constexpr (std::is_same_v<B, NoMask>) return b.with(a);
  else return b.with(combine(a, b.rule));
}

}  // namespace ATTN_ABI
}  // namespace attn
