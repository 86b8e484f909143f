#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A query attends to its own position and those before it: j ≤ i [Vaswani17 §3.2.3, "preventing
/// leftward information flow"]. Where L ≠ S the alignment must be named:
/// `Causal{Align::lower_right}`.
struct Causal {
  static constexpr bool same_for_heads = true;
  std::optional<Align> align = std::nullopt;

  auto allows(const auto& at) const { return at.key <= at.query; }
  Coverage cover(Tile t) const {
    if (t.key_begin > t.query_end - 1) return Coverage::empty;
    return t.key_end - 1 <= t.query_begin ? Coverage::full : Coverage::partial;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
