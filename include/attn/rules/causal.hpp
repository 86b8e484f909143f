#pragma once

#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A query looks at its own position and those before: j ≤ i [Vaswani17 §3.2.3, "preventing
/// leftward information flow"]. Where L ≠ S the alignment must be named:
/// `Causal{Align::lower_right}`.
struct Causal {
  std::optional<Align> align = std::nullopt;

  auto allows(const auto& at) const { return at.key <= at.query; }
  Cover cover(Tile t) const {
    if (t.key_begin > t.query_end - 1) return Cover::none;
    return t.key_end - 1 <= t.query_begin ? Cover::all : Cover::part;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
