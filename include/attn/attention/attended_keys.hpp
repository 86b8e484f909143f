#pragma once

#include <attn/core/range.hpp>
#include <attn/rules/positions.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The keys of a tile that some query of a panel attends to, from the first to the last, counted
/// from the tile's first key.
struct AttendedKeys {
  Index begin = 0, end = 0;
  bool masked = false;  ///< whether a score among them may be −∞

  Index size() const { return end - begin; }
  bool empty() const { return begin >= end; }

  /// Computes the scores of a tile, key ranges in order: keys that are allowed whole, or not at
  /// all, together, others by halves, down to the block of a register block. The ranges go to
  ///   scores.compute(keys)                         where every score stays as it is
  ///   scores.compute_under(rule, keys, coverage)   where the rule must be asked
  ///   scores.clear(keys)                           where none is allowed, between attended keys
  template <class R, class Scores>
  void visit(const R& rule, const Tile& tile, Coverage coverage, Scores& scores) {
    visit_part(rule, tile, coverage, tile.key_begin, scores);
  }

 private:
  template <class R, class Scores>
  void visit_part(const R& rule, const Tile& tile, Coverage coverage, Index first, Scores& scores) {
    constexpr Index block = Scores::block;
    const Index n = tile.key_end - tile.key_begin;
    if (coverage != Coverage::partial || n <= block)
      return take(rule, {tile.key_begin - first, tile.key_end - first}, coverage, scores);
    const Index middle = tile.key_begin + (n + 2 * block - 1) / (2 * block) * block;
    Tile left = tile, right = tile;
    left.key_end = middle;
    right.key_begin = middle;
    visit_part(rule, left, rule.cover(left), first, scores);
    visit_part(rule, right, rule.cover(right), first, scores);
  }
  template <class R, class Scores>
  void take(const R& rule, Range keys, Coverage coverage, Scores& scores) {
    if (coverage == Coverage::empty) {
      if (end == 0) {
        begin = keys.end;
      } else {
        masked = true;
        scores.clear(keys);
      }
      return;
    }
    end = keys.end;
    if (coverage == Coverage::full && scores.template keeps_scores<R>()) {
      scores.compute(keys);
    } else {
      masked = true;
      scores.compute_under(rule, keys, coverage);
    }
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
