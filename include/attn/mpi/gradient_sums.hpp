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
      sums_.push_back({node, Buffer<T>::for_overwrite(layout_.size())});
      copy_to(sums_.back());
    }
    merge_siblings(sums_,
                   [](Sum& left, Sum& right) { add_elements<T>(left.span(), right.span()); });
  }

  std::vector<Sum>& sums() { return sums_; }
  /// For every parameter 1 if a part had a gradient of it, and 0 otherwise.
  const std::vector<unsigned char>& seen() const { return seen_; }

 private:
  /// The place of parameter k in a sum.
  std::span<T> place(Sum& sum, std::size_t k) const {
    return sum.span().subspan(static_cast<std::size_t>(layout_.begin_of(static_cast<Index>(k))),
                              parameters_[k].value.size());
  }
  void copy_to(Sum& sum) const {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const std::span<T> to = place(sum, k);
      if (parameters_[k].grad.empty()) {
        std::fill(to.begin(), to.end(), T(0));
      } else {
        const std::span<const T> gradient = parameters_[k].grad;
        std::copy(gradient.begin(), gradient.end(), to.begin());
      }
    }
  }
  /// Numerics: zeros are added where a gradient is empty, because −0 + 0 is 0.
  void add_to(Sum& sum) const {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
      const std::span<T> to = place(sum, k);
      if (parameters_[k].grad.empty()) {
        for (T& x : to) x += T(0);
      } else {
        add_elements<T>(to, parameters_[k].grad.values());
      }
    }
  }

  const std::vector<NamedParameter<T>>& parameters_;
  const ShardLayout& layout_;
  std::vector<Sum> sums_;
  std::vector<unsigned char> seen_;
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
