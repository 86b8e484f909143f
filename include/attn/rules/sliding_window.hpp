#pragma once

#include <attn/rules/rule.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

/// A query attends to at most `left` keys before it and `right` keys after it: i − left ≤ j ≤
/// i + right [Beltagy20 §3.1]. A side that is left out has no limit. The `first` keys of the
/// sequence are attended to from any distance, if they are not beyond `right`: those that a
/// streaming model keeps as attention sinks [Xiao23 §3.2]. Where L ≠ S the alignment must be named.
/// Errors: OptionError if a side or `first` is negative.
struct SlidingWindow {
  static constexpr bool same_for_heads = true;
  static constexpr Index unlimited = std::numeric_limits<Index>::max();
  Index left = unlimited, right = unlimited;
  std::optional<Align> align = std::nullopt;
  Index first = 0;

  void check(const ScoreShape&) const {
    if (left < 0 || right < 0)
      throw OptionError("SlidingWindow: left = " + std::to_string(left) +
                        " and right = " + std::to_string(right) +
                        " must be at least 0; a side left out has no limit");
    if (first < 0)
      throw OptionError("SlidingWindow: first = " + std::to_string(first) + " must be at least 0");
  }
  auto allows(const auto& at) const {
    return at.query - at.key <= (at.key < first ? unlimited : left) && at.key - at.query <= right;
  }
  Coverage cover(Tile t) const {
    if (t.key_end <= first) return cover(t, unlimited);
    if (t.key_begin >= first) return cover(t, left);
    Tile kept = t;
    Tile others = t;
    kept.key_end = first;
    others.key_begin = first;
    const Coverage of_kept = cover(kept, unlimited);
    return of_kept == cover(others, left) ? of_kept : Coverage::partial;
  }

 private:
  Coverage cover(const Tile& t, Index limit) const {
    const Index first_back = t.query_begin - (t.key_end - 1),
                last_back = t.query_end - 1 - t.key_begin;  // the range of i − j
    if (first_back > limit || -last_back > right) return Coverage::empty;
    return last_back <= limit && -first_back <= right ? Coverage::full : Coverage::partial;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
