#pragma once

#include <algorithm>
#include <attn/core/range.hpp>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// Some positions of a sequence: ranges in ascending order, of which none is empty. Row i of a
/// tensor that has these positions is the i-th of them.
class Blocks {
 public:
  Blocks() = default;
  /// Ranges that do not overlap; adjacent ones become one.
  explicit Blocks(std::vector<Range> ranges) {
    std::erase_if(ranges, [](const Range& range) { return range.size() <= 0; });
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    for (const Range& range : ranges) {
      if (!ranges_.empty() && ranges_.back().end == range.begin) ranges_.back().end = range.end;
      else ranges_.push_back(range);
    }
  }

  const std::vector<Range>& ranges() const { return ranges_; }
  /// The number of positions.
  Index size() const { return size_in({0, ranges_.empty() ? 0 : ranges_.back().end}); }
  /// The number of those within a window.
  Index size_in(Range window) const {
    Index size = 0;
    for_each_in(window, [&](Index, Range positions) { size += positions.size(); });
    return size;
  }
  /// The position of row i.
  Index position(Index i) const {
    for (const Range& range : ranges_) {
      if (i < range.size()) return range.begin + i;
      i -= range.size();
    }
    return i;
  }
  /// f(row, positions) for each range within a window, of which `row` is the first row.
  template <class F>
  void for_each_in(Range window, F&& f) const {
    Index row = 0;
    for (const Range& range : ranges_) {
      const Range part{std::max(range.begin, window.begin), std::min(range.end, window.end)};
      if (part.begin < part.end) f(row + part.begin - range.begin, part);
      row += range.size();
    }
  }
  template <class F>
  void for_each(F&& f) const {
    if (!ranges_.empty()) for_each_in({0, ranges_.back().end}, f);
  }
  /// Those within a window.
  Blocks within(Range window) const {
    std::vector<Range> parts;
    for_each_in(window, [&](Index, Range positions) { parts.push_back(positions); });
    return Blocks(std::move(parts));
  }
  /// The positions of several ranks.
  static Blocks joined(std::span<const Blocks> blocks) {
    std::vector<Range> all;
    for (const Blocks& some : blocks)
      all.insert(all.end(), some.ranges_.begin(), some.ranges_.end());
    return Blocks(std::move(all));
  }

 private:
  std::vector<Range> ranges_;
};

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
