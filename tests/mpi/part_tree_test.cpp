#include <gtest/gtest.h>

#include <attn/mpi/part_tree.hpp>
#include <string>

namespace {

using attn::Index;
using attn::Range;
using attn::mpi::detail::PartNode;

/// A sum that shows how it was computed: "((0+1)+2)".
struct Text {
  PartNode node;
  std::string text;
};
void add(Text& left, const Text& right) { left.text = "(" + left.text + "+" + right.text + ")"; }

/// The sum of some parts of `all` as the tree has it: its left half, of the largest power of two
/// parts that is smaller than the number of parts, and its right half.
std::string tree(Index begin, Index end) {
  if (end - begin == 1) return std::to_string(begin);
  Index left = 1;
  while (2 * left < end - begin) left *= 2;
  return "(" + tree(begin, begin + left) + "+" + tree(begin + left, end) + ")";
}

/// The sums that a rank has of the parts of a range.
std::vector<Text> sums_of(Range parts) {
  std::vector<Text> sums;
  for (Index part = parts.begin; part < parts.end; ++part) {
    sums.push_back({{part, 1}, std::to_string(part)});
    attn::mpi::detail::merge_siblings(sums, add);
  }
  return sums;
}

TEST(PartTree, IsTheSameForEveryNumberOfRanks) {
  for (Index parts = 1; parts <= 48; ++parts) {
    for (Index ranks = 1; ranks <= parts; ++ranks) {
      if (parts % ranks != 0) continue;
      std::vector<Text> sums;
      for (Index rank = 0; rank < ranks; ++rank) {
        for (const Text& sum : sums_of({rank * parts / ranks, (rank + 1) * parts / ranks})) {
          sums.push_back(sum);
          attn::mpi::detail::merge_siblings(sums, add);
        }
      }
      attn::mpi::detail::merge_all(sums, add);
      ASSERT_EQ(sums.front().text, tree(0, parts)) << parts << " parts on " << ranks << " ranks";
    }
  }
}

TEST(PartTree, NamesTheNodesThatARankHas) {
  for (Index begin = 0; begin <= 40; ++begin) {
    for (Index end = begin; end <= 40; ++end) {
      const auto sums = sums_of({begin, end});
      const auto nodes = attn::mpi::detail::nodes_of({begin, end});
      ASSERT_EQ(nodes.size(), sums.size()) << begin << " to " << end;
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        EXPECT_EQ(nodes[i].begin, sums[i].node.begin);
        EXPECT_EQ(nodes[i].parts, sums[i].node.parts);
      }
    }
  }
}

TEST(PartTree, OfOneRankHasFewSums) {
  for (Index parts = 1; parts <= 4096; parts *= 2) {
    std::vector<Text> sums;
    std::size_t most = 0;
    for (Index part = 0; part < parts; ++part) {
      sums.push_back({{part, 1}, ""});
      most = std::max(most, sums.size());
      attn::mpi::detail::merge_siblings(sums, [](Text&, const Text&) {});
    }
    EXPECT_LE(Index{1} << (most - 1), parts);
  }
}

}  // namespace
