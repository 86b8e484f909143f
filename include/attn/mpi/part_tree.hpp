#pragma once

#include <attn/core/range.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// A node of the binary tree over the parts of a batch: the sum of `parts` parts from `begin`.
/// `parts` is a power of two that divides `begin`.
struct PartNode {
  Index begin = 0;
  Index parts = 1;

  /// Whether this node and `next` are the children of one node.
  bool is_sibling_of(const PartNode& next) const {
    return next.parts == parts && next.begin == begin + parts && begin % (2 * parts) == 0;
  }
  PartNode parent() const { return {begin, 2 * parts}; }
};

/// The largest nodes that consist of parts of the range alone, in their order.
inline std::vector<PartNode> nodes_of(Range parts) {
  std::vector<PartNode> nodes;
  for (Index begin = parts.begin; begin < parts.end; begin += nodes.back().parts) {
    PartNode& node = nodes.emplace_back(PartNode{begin, 1});
    while (node.begin % (2 * node.parts) == 0 && node.begin + 2 * node.parts <= parts.end)
      node.parts *= 2;
  }
  return nodes;
}

/// Adds the last two sums to their parent's, as long as they are siblings: what is left after each
/// new sum are the nodes that `nodes_of` names. A sum has a `node`, and add(left, right) adds the
/// right one to the left one.
template <class Sum, class Add>
void merge_siblings(std::vector<Sum>& sums, const Add& add) {
  while (sums.size() > 1 && sums[sums.size() - 2].node.is_sibling_of(sums.back().node)) {
    Sum& left = sums[sums.size() - 2];
    add(left, sums.back());
    left.node = left.node.parent();
    sums.pop_back();
  }
}

/// Adds all sums to the first, the last ones first. At the end of a batch whose number of parts is
/// no power of two, this is what the tree has above the nodes that are whole.
template <class Sum, class Add>
void merge_all(std::vector<Sum>& sums, const Add& add) {
  while (sums.size() > 1) {
    add(sums[sums.size() - 2], sums.back());
    sums.pop_back();
  }
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
