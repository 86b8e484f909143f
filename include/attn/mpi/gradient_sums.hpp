#pragma once

#include <attn/core/buffer.hpp>
#include <attn/mpi/part_tree.hpp>
#include <attn/mpi/shards.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// to ← to + values, element by element.
template <class T>
void add_elements(std::span<T> to, std::span<const T> values) {
  attn::detail::parallel_chunks(std::ssize(to), [&](Index begin, Index count) {
    T* const sum = to.data() + begin;
    const T* const x = values.data() + begin;
    for (Index i = 0; i < count; ++i) sum[i] += x[i];
  });
}

/// The gradients of all parameters, one after another, summed over consecutive parts of a batch:
/// the nodes of the tree that consist of these parts.
/// Cost: log₂ of the number of parts copies of the gradients, and one for the parameters' own.
template <class T>
class GradientSums {
 public:
  struct Sum {
    PartNode node;
    Buffer<T> values;
    std::span<T> span() { return {values.data(), static_cast<std::size_t>(values.size())}; }
  };

  GradientSums(const std::vector<NamedParameter<T>>& parameters, const ShardLayout& layout)
      : parameters_(parameters), layout_(layout), seen_(parameters.size(), 0) {}

  /// Takes the gradients of the next part, which the parameters have. One that is empty counts as
  /// zeros.
  void add(Index part) {
    for (std::size_t k = 0; k < seen_.size(); ++k)
      if (!parameters_[k].grad.empty()) seen_[k] = 1;
    const PartNode node{part, 1};
    if (!sums_.empty() && sums_.back().node.is_sibling_of(node)) {
      add_to(sums_.back());
      sums_.back().node = sums_.back().node.parent();
    } else {
      sums_.push_back({node, Buffer<T>(layout_.size())});
      copy_to(sums_.back());
    }
    merge_siblings(sums_,
                   [](Sum& left, Sum& right) { add_elements<T>(left.span(), right.span()); });
  }

  std::vector<Sum>& sums() { return sums_; }
  /// For every parameter 1 if a part had a gradient of it, and 0 otherwise.
  std::vector<unsigned char>& seen() { return seen_; }

 private:
  /// The place of parameter k in a sum.
  std::span<T> place(Sum& sum, std::size_t k) const {
    return sum.span().subspan(static_cast<std::size_t>(layout_.begin_of(static_cast<Index>(k))),
                              parameters_[k].value.size());
  }
  void copy_to(Sum& sum) const {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      if (parameters_[k].grad.empty()) continue;
      const std::span<const T> gradient = parameters_[k].grad;
      std::copy(gradient.begin(), gradient.end(), place(sum, k).begin());
    }
  }
  /// Numerics: zeros are added where a gradient is empty, because −0 + 0 is 0.
  void add_to(Sum& sum) const {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const std::span<T> to = place(sum, k);
      if (!parameters_[k].grad.empty()) add_elements<T>(to, parameters_[k].grad.values());
      else
        for (T& x : to) x += T(0);
    }
  }

  const std::vector<NamedParameter<T>>& parameters_;
  const ShardLayout& layout_;
  std::vector<Sum> sums_;
  std::vector<unsigned char> seen_;
};

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
    Gathering<T>({}, std::move(messages).requests()).wait();
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
