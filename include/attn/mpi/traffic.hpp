#pragma once

#include <attn/mpi/sequence.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// The extents of attention over a whole sequence, without its length.
struct AttentionExtents {
  Index batch, heads, key_heads, head_dim, value_dim;
};

/// The elements that a rank receives from the others in a call of SequenceParallel, and in its
/// backward pass.
struct Traffic {
  Index forward, backward;
};

/// With U ranks that exchange heads, of which each has n positions and all have N together:
///   exchange of heads: (H/U·E + G/U·(E + Ev))·(N − n) + (H − H/U)·Ev·n, backward
///                      H/U·Ev·(N − n) + ((H − H/U)·E + (G − G/U)·(E + Ev))·n
///   windows of keys:   G/U·(E + Ev)·(S − N), backward the same, and of queries
///                      H/U·(E + 2·Ev + 1)·(S − N): query, output, its gradient, log-sum-exp
/// times the batch B.
inline Traffic traffic(const Sequence& sequence, const AttentionExtents& x,
                       std::optional<Index> ranks_of_heads = std::nullopt) {
  const detail::RankGrid& grid = sequence.grid(x.key_heads, ranks_of_heads);
  const Index U = grid.row.size(), n = grid.mine().size(), N = grid.positions().size(),
              others = sequence.length() - N;
  const Index heads = x.heads / U, key_heads = x.key_heads / U;
  const Index keys_and_values = x.head_dim + x.value_dim;
  const Index to_heads = (heads * x.head_dim + key_heads * keys_and_values) * (N - n);
  const Index from_heads = (x.heads - heads) * x.value_dim * n;
  const Index to_heads_backward = heads * x.value_dim * (N - n);
  const Index from_heads_backward =
      ((x.heads - heads) * x.head_dim + (x.key_heads - key_heads) * keys_and_values) * n;
  const Index keys = key_heads * keys_and_values * others;
  const Index queries = heads * (x.head_dim + 2 * x.value_dim + 1) * others;
  return {x.batch * (to_heads + from_heads + keys),
          x.batch * (to_heads_backward + from_heads_backward + keys + queries)};
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
