#pragma once

#include <algorithm>
#include <attn/autograd/named_parameter.hpp>
#include <attn/mpi/messages.hpp>
#include <attn/mpi/together.hpp>
#include <attn/train/parts.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// How the elements of all parameters, one after another, are divided among the ranks: each rank
/// has a range of them, its shard, which consists of whole chunks of `chunk_size` elements, so that
/// sums over chunks do not depend on the number of ranks. Shards differ by less than two chunks.
class ShardLayout {
 public:
  ShardLayout(const std::vector<Index>& sizes, Index ranks) : begins_{0} {
    for (const Index size : sizes) begins_.push_back(begins_.back() + size);
    ends_.push_back(0);
    for (const attn::detail::Part& chunk : attn::detail::parts_of(sizes)) {
      const Index begin = begin_of(chunk.range) + chunk.begin;
      while (begin * ranks >= size() * std::ssize(ends_)) ends_.push_back(begin);
    }
    ends_.resize(static_cast<std::size_t>(ranks) + 1, size());
  }

  /// The number of elements of all parameters.
  Index size() const { return begins_.back(); }
  /// Where parameter k begins.
  Index begin_of(Index k) const { return begins_[static_cast<std::size_t>(k)]; }
  Range shard(Index rank) const {
    const auto r = static_cast<std::size_t>(rank);
    return {ends_[r], ends_[r + 1]};
  }
  /// The elements of parameter k in a rank's shard, counted from the parameter's begin; from 0 to 0
  /// if there are none.
  Range elements(Index k, Index rank) const {
    const Index begin = std::max(begin_of(k), shard(rank).begin);
    const Index end = std::min(begin_of(k + 1), shard(rank).end);
    if (begin >= end) return {};
    return {begin - begin_of(k), end - begin_of(k)};
  }
  /// The sizes of all shards.
  std::vector<Index> counts() const {
    std::vector<Index> counts;
    for (Index rank = 0; rank + 1 < std::ssize(ends_); ++rank) counts.push_back(shard(rank).size());
    return counts;
  }

 private:
  std::vector<Index> begins_;  // of every parameter, and the end of the last
  std::vector<Index> ends_;    // of the shards before each rank, and of the last
};

/// The gradient of the elements of a parameter that are in this rank's shard.
template <class T>
class ShardGradient final : public AnyGradient<T> {
 public:
  explicit ShardGradient(std::span<T> values) : values_(values) {}

  bool empty() const override { return empty_; }
  void clear() override { empty_ = true; }
  std::span<T> values() override {
    if (empty_) std::fill(values_.begin(), values_.end(), T(0));
    empty_ = false;
    return values_;
  }
  /// The values have been written.
  void fill() { empty_ = false; }

 private:
  std::span<T> values_;
  bool empty_ = true;
};

/// The names and shapes of parameters, which must be the same on all ranks, as Together takes them.
template <class T>
std::string described(const std::vector<NamedParameter<T>>& parameters) {
  std::string text;
  for (const auto& p : parameters)
    text += "; " + p.name + " " + type_name<T>() + " " + to_string(p.shape);
  return text;
}
template <class T>
std::vector<Index> sizes_of(const std::vector<NamedParameter<T>>& parameters) {
  std::vector<Index> sizes;
  for (const auto& p : parameters) sizes.push_back(std::ssize(p.value));
  return sizes;
}

/// For every parameter 1 if it is on a rank.
inline std::vector<unsigned char> seen_anywhere(const World& world,
                                                std::vector<unsigned char> seen) {
  expect_success(MPI_Allreduce(MPI_IN_PLACE, seen.data(), static_cast<int>(seen.size()),
                               MPI_UNSIGNED_CHAR, MPI_MAX, world.comm()),
                 "MPI_Allreduce");
  return seen;
}
/// Writes the gradients of all parameters, one after another; those that were not seen are empty.
template <class T>
void set_gradients(const std::vector<NamedParameter<T>>& parameters, const ShardLayout& layout,
                   std::span<const T> all, const std::vector<unsigned char>& seen) {
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    parameters[k].grad.clear();
    if (!seen[k]) continue;
    const std::span<T> to = parameters[k].grad.values();
    std::copy_n(all.begin() + layout.begin_of(static_cast<Index>(k)), to.size(), to.begin());
  }
}

/// Completes `values`, of which each rank has its shard.
template <class T>
void gather_shards(const World& world, const ShardLayout& layout, std::span<T> values) {
  const std::vector<Index> counts = layout.counts();
  all_gather(world, values, counts).wait();
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
