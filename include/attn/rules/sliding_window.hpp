#pragma once

#include <attn/rules/rule.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

/// A query attends to at most `left` keys before it and `right` keys after it: i − left ≤ j ≤
/// i + right [Beltagy20 §3.1]. A side that is left out has no limit. Where L ≠ S the alignment must
/// be named.
/// Errors: OptionError if a side is negative.
struct SlidingWindow {
  static constexpr bool same_for_heads = true;
  static constexpr Index unlimited = std::numeric_limits<Index>::max();
  Index left = unlimited, right = unlimited;
  std::optional<Align> align = std::nullopt;

  void check(const ScoreShape&) const {
    if (left < 0 || right < 0)
      throw OptionError("SlidingWindow: left = " + std::to_string(left) +
                        " and right = " + std::to_string(right) +
                        " must be at least 0; a side left out has no limit");
  }
  auto allows(const auto& at) const {
    return at.query - at.key <= left && at.key - at.query <= right;
  }
  Coverage cover(Tile t) const {
    const Index first_back = t.query_begin - (t.key_end - 1),
                last_back = t.query_end - 1 - t.key_begin;  // the range of i − j
    if (first_back > left || -last_back > right) return Coverage::empty;
    return last_back <= left && -first_back <= right ? Coverage::full : Coverage::partial;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
