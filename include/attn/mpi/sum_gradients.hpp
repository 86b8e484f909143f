#pragma once

#include <attn/mpi/shard_sum.hpp>
#include <attn/mpi/together.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// Replaces the gradient of every parameter by the sum of the gradients of all ranks, on each of
/// them: what a step on a divided sequence needs after the backward pass.
///
///   const attn::mpi::Sequence sequence(world, S);
///   attn::Tape<float> tape;
///   const auto logits = model(tape, tokens, attn::mpi::Divided{sequence});    tokens: those here
///   const double share = double(sequence.size()) / double(S);
///   tape.backward(attn::cross_entropy(logits, targets) * share);              a mean over all S
///   attn::mpi::sum_gradients(world, model.parameters());
///   adam.step(1e-3);                                                          the same everywhere
///
/// A gradient that no rank has stays empty.
/// Numerics: the gradients are added in a binary tree over the ranks, so that they are bitwise the
/// same on all ranks and in every run on as many; another number of ranks gives another rounding.
/// Errors: ShapeError, on all ranks, if they have different parameters.
/// Cost: two copies of the gradients, and messages of about twice their size.
template <class T>
void sum_gradients(const World& world, const std::vector<NamedParameter<T>>& parameters) {
  Together together(world, "sum_gradients: " + std::to_string(parameters.size()) + " parameters" +
                               detail::described(parameters));
  const detail::ShardLayout layout(detail::sizes_of(parameters), world.size());
  detail::GradientSums<T> own(parameters, layout);
  std::optional<detail::ShardSum<T>> sum;
  std::vector<T> all;
  together.compute([&] {
    own.add(world.rank());
    sum.emplace(world, layout, [](Index rank) { return Range{rank, rank + 1}; });
    all.resize(static_cast<std::size_t>(layout.size()));
  });
  together.finish();
  const std::span<const T> of_shard = sum->exchange(own.sums());
  std::copy(of_shard.begin(), of_shard.end(), all.begin() + layout.shard(world.rank()).begin);
  detail::gather_shards(world, layout, std::span(all));
  detail::set_gradients<T>(parameters, layout, all, detail::seen_anywhere(world, own.seen()));
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
