#pragma once

#include <attn/mpi/blocks.hpp>
#include <attn/mpi/world.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// All ranks as a grid. The ranks of a row follow each other: they exchange heads for positions, so
/// that each has a part of the heads and the positions of the whole row. The ranks of a column then
/// have the same heads, of different positions.
struct RankGrid {
  World row, column;
  std::vector<Blocks> row_blocks;     ///< the positions of each rank of this row
  std::vector<Blocks> column_blocks;  ///< the positions of each row

  /// `width` ranks in a row, a divisor of all; `blocks` are the positions of each rank. A
  /// collective operation.
  RankGrid(const World& world, Index width, std::span<const Blocks> blocks)
      : row(world.split(world.rank() / width)), column(world.split(world.rank() % width)) {
    const auto first = static_cast<std::size_t>(world.rank() / width * width),
               count = static_cast<std::size_t>(width);
    const auto mine = blocks.subspan(first, count);
    row_blocks.assign(mine.begin(), mine.end());
    for (std::size_t rank = 0; rank < blocks.size(); rank += count)
      column_blocks.push_back(Blocks::joined(blocks.subspan(rank, count)));
  }

  /// The positions of this row.
  const Blocks& positions() const { return column_blocks[static_cast<std::size_t>(column.rank())]; }
  /// The positions of this rank.
  const Blocks& mine() const { return row_blocks[static_cast<std::size_t>(row.rank())]; }
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
