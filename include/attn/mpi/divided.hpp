#pragma once

#include <attn/mpi/sequence_parallel.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// A rule for layers on a rank's positions of a sequence: attention is SequenceParallel, and
/// positions are those of the whole sequence, for the rule, rotary and learned positions, and
/// dropout alike.
///
///   const attn::mpi::Sequence sequence(world, S);
///   encoder(x, attn::mpi::Divided{sequence, attn::Causal{}})       x (B, n, D)
///   model(tokens, attn::mpi::Divided{sequence})                    tokens (B, n), a LanguageModel
///
/// The result is bitwise what one process gives for these positions, and so are the gradients of
/// x; with dropout, if the tapes of all ranks have the same Random. The gradients of weights are
/// sums over the positions that are here: their sum over all ranks, see `sum_gradients`, is that of
/// one process up to rounding. The gradients of the rule's parameters are those of one process on
/// every rank, and are not to be summed. A decoder's cross-attention is not divided: the parameters
/// of its rule have sums over the rows that are here. Train a decoder without dropout, because the
/// draws of its cross-attention would differ between the ranks.
/// `Divided{sequence} & rule` is `Divided{sequence, rule}`. It refers to the sequence, which must
/// outlive it. `ranks_of_heads` is that of SequenceParallelOptions.
/// Errors: those of SequenceParallel, thrown on all ranks. What a layer itself refuses, such as a
/// wrong width, it refuses on the rank where it is wrong: let it escape, and `run` ends all ranks.
template <Rule R = NoMask>
class Divided {
  static_assert(!PlacesRows<R>, "rows are placed once");

 public:
  R rule;

  explicit Divided(const Sequence& sequence, R the_rule = {},
                   std::optional<Index> ranks_of_heads = std::nullopt)
      : rule(std::move(the_rule)), sequence_(&sequence), ranks_of_heads_(ranks_of_heads) {}

  /// Attention of a functor under this rule.
  template <class Functor, class Heads, class Q, class K, class V>
  auto attend(const Functor& functor, const Heads& heads, const Q& query, const K& key,
              const V& value) const {
    const SequenceParallelOptions options{functor.options, ranks_of_heads_};
    return SequenceParallel(*sequence_, options, functor.kernel)
        .attend(query, key, value, rule, heads);
  }

  /// Errors: ShapeError, on all ranks, if on one of them the scores are not those of the positions
  /// that are there. A collective operation.
  void check(const ScoreShape& call) const {
    Together together(sequence_->world(), "Divided: length " + std::to_string(longest()));
    together.compute([&] {
      const Index n = sequence_->size();
      if (call.queries == n && call.keys == n) return;
      throw ShapeError("Divided: the input has " + std::to_string(call.queries) + " positions" +
                       (call.keys == call.queries ? std::string()
                                                  : ", and keys of " + std::to_string(call.keys)) +
                       ", and must have the " + std::to_string(n) + " that are here, of " +
                       std::to_string(longest()));
    });
    together.finish();
  }
  std::vector<Index> key_positions() const {
    std::vector<Index> positions;
    sequence_->blocks_of(sequence_->world().rank()).for_each([&](Index, Range range) {
      for (Index i = range.begin; i < range.end; ++i) positions.push_back(i);
    });
    return positions;
  }
  std::vector<Index> query_positions(Align) const { return key_positions(); }
  RowPositions rows_of_all() const { return {key_positions(), longest()}; }
  Index longest() const { return sequence_->length(); }

  /// The same positions under another rule.
  template <Rule Other>
  Divided<Other> with(const Other& other) const {
    return Divided<Other>(*sequence_, other, ranks_of_heads_);
  }

 private:
  const Sequence* sequence_;
  std::optional<Index> ranks_of_heads_;
};

/// `Divided{sequence, a} & b` is `Divided{sequence, a & b}`.
template <Rule A, Rule B>
auto operator&(const Divided<A>& a, const B& b) {
  if constexpr (std::is_same_v<A, NoMask>) return a.with(b);
  else return a.with(combine(a.rule, b));
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
