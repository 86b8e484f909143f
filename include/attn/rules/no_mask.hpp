#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Every query attends to every key, and scores stay as they are.
struct NoMask {
  static constexpr bool same_for_heads = true;

  bool allows(Position) const { return true; }
  Coverage cover(Tile) const { return Coverage::full; }
};

}  // namespace ATTN_ABI
}  // namespace attn
