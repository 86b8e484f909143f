#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Every query looks at every key, and scores stay as they are.
struct NoMask {
  bool allows(Position) const { return true; }
  Cover cover(Tile) const { return Cover::all; }
};

}  // namespace ATTN_ABI
}  // namespace attn
