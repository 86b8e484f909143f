#pragma once

#include <attn/mpi/gradient_sums.hpp>
#include <attn/mpi/point_to_point.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// Sends each rank the elements of its shard in this rank's sums, and adds what it receives of its
/// own shard, all in the order of the tree.
template <class T>
class ShardSum {
 public:
  /// Allocates the memory for what is received from others. `parts_of(rank)` is the Range of the
  /// parts that a rank has.
  template <class PartsOf>
  ShardSum(const World& world, const ShardLayout& layout, const PartsOf& parts_of)
      : world_(world), layout_(layout) {
    const Index size = layout.shard(world.rank()).size();
    for (Index rank = 0; rank < world.size(); ++rank)
      for (const PartNode& node : nodes_of(parts_of(rank)))
        received_.push_back(
            {node, rank, Buffer<T>::for_overwrite(rank == world.rank() ? 0 : size)});
  }

  /// The sum over all parts of the elements of this rank's shard, in memory of this object or of
  /// the sums.
  std::span<T> exchange(std::vector<typename GradientSums<T>::Sum>& own) {
    PointToPoint messages(world_, largest_message);
    for (Received& from : received_)
      messages.receive(from.values.data(), bytes(from.values.size()), from.rank);
    for (Index rank = 0; rank < world_.size(); ++rank) {
      if (rank == world_.rank()) continue;
      for (auto& sum : own) {
        const std::span<T> shard = shard_of(sum.span(), rank);
        messages.send(shard.data(), bytes(std::ssize(shard)), rank);
      }
    }
    Gathering<T>({}, std::move(messages).messages()).wait();
    return sum_in_order(own);
  }

 private:
  struct Received {
    PartNode node;
    Index rank;
    Buffer<T> values;
  };
  struct Term {
    PartNode node;
    std::span<T> values;
  };

  static Index bytes(Index count) { return count * static_cast<Index>(sizeof(T)); }
  std::span<T> shard_of(std::span<T> all, Index rank) const {
    const Range shard = layout_.shard(rank);
    return all.subspan(static_cast<std::size_t>(shard.begin),
                       static_cast<std::size_t>(shard.size()));
  }
  std::span<T> sum_in_order(std::vector<typename GradientSums<T>::Sum>& own) {
    const auto add = [](Term& left, Term& right) { add_elements<T>(left.values, right.values); };
    std::vector<Term> terms;
    auto next_own = own.begin();
    for (Received& from : received_) {
      const auto size = static_cast<std::size_t>(from.values.size());
      const std::span<T> values = from.rank == world_.rank()
                                      ? shard_of((next_own++)->span(), from.rank)
                                      : std::span<T>(from.values.data(), size);
      terms.push_back({from.node, values});
      merge_siblings(terms, add);
    }
    merge_all(terms, add);
    return terms.front().values;
  }

  const World& world_;
  const ShardLayout& layout_;
  std::vector<Received> received_;  // in the order of the parts; without values for this rank
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
