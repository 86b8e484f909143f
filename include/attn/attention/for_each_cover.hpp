#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// f(cover, first key, end of the keys) for the keys of a tile, one after the other: those that are
/// allowed whole or not at all together, others by halves, down to `rows`, which a register block
/// computes at once.
template <Index rows, class R, class F>
void for_each_cover(const R& rule, const Tile& tile, F&& f) {
  const Cover cover = rule.cover(tile);
  const Index n = tile.key_end - tile.key_begin;
  if (cover != Cover::part || n <= rows) return f(cover, tile.key_begin, tile.key_end);
  Tile first = tile, second = tile;
  first.key_end = second.key_begin = tile.key_begin + (n + 2 * rows - 1) / (2 * rows) * rows;
  for_each_cover<rows>(rule, first, f), for_each_cover<rows>(rule, second, f);
}

}  // namespace ATTN_ABI
}  // namespace attn
