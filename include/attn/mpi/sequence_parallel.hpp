#pragma once

#include <attn/mpi/sequence_operation.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// Attention of a sequence that is divided between ranks, bitwise that of one process:
///
///   const attn::mpi::Sequence sequence(world, S);
///   const attn::mpi::SequenceParallel attend{sequence};
///   const auto o = attend(q, k, v, attn::Causal{});
///
/// query (B, H, n, E), key (B, G, n, E) and value (B, G, n, Ev) are the rows of the positions that
/// are here, and so is the result (B, H, n, Ev). They are tensors, or variables, for which the call
/// is recorded; the gradients are bitwise those of one process, too. Rules and dropout are asked in
/// positions of the whole sequence. A rule's parameters, which all ranks have, get on every rank
/// the gradient over all positions, which is not to be summed over the ranks.
///
/// Two schemes, and their product: ranks exchange heads for positions, all-to-all (DeepSpeed
/// Ulysses [Jacobs23]), while their number divides G; beyond that, keys pass by all ranks in
/// windows, in ascending order, and each query keeps its state, so that its sum has the order of
/// one process. A ring [Liu23] would merge the keys in another order on each rank.
/// Everything is collective: all ranks call it, and the backward pass of their tapes, alike. What
/// one rank throws, all throw.
/// Cost: a rank receives (2·E·H + 2·Ev·H)·S/P elements where heads are exchanged and G = H, and
/// (E + Ev)·G·S/U where keys pass by; the backward pass then computes 7 products in place of 5. The
/// gradients of a rule's parameters cost what they cost on one process, divided by P, and a rank
/// receives all keys and values, and for each 16 rows of scores two numbers for each parameter that
/// they have.
/// Errors: ShapeError naming the argument that does not fit; OptionError for a scale that is not
/// finite, a dropout that is no probability, or ranks_of_heads that does not divide; what the rule
/// throws.
template <class Kernel = Tiled>
class SequenceParallel {
 public:
  SequenceParallelOptions options;
  [[no_unique_address]] Kernel kernel;

  explicit SequenceParallel(const Sequence& sequence, SequenceParallelOptions the_options = {},
                            Kernel the_kernel = {})
      : options(the_options), kernel(the_kernel), sequence_(&sequence) {}

  const Sequence& sequence() const { return *sequence_; }

  template <class Q, class K, class V, Rule R = NoMask>
  auto operator()(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    return attend(query, key, value, rule, attn::detail::SeparateHeads{});
  }
  /// The same of operands in the layout that `heads` reads, as layers have it.
  template <class Q, class K, class V, Rule R, class Heads>
  auto attend(const Q& query, const K& key, const V& value, const R& rule,
              const Heads& heads) const {
    static_assert(DivisibleKernel<Kernel, float>,
                  "SequenceParallel needs a kernel whose keys can be divided");
    static_assert(!PlacesRows<R>, "SequenceParallel places rows itself: it takes no Packed rule");
    const detail::SequenceOperation<Kernel, R, Heads> operation{*sequence_, options, kernel, rule,
                                                                heads};
    return std::apply(
        [&](const auto&... variables) { return apply(operation, query, key, value, variables...); },
        attn::detail::variables_of(rule));
  }

 private:
  const Sequence* sequence_;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
