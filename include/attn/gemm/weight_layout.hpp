#pragma once

#include <attn/core/weight_format.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A weight W (out, in) in memory, as products read it: panels of 48 rows, each with its groups one
/// after the other. A group has the scales of the 48 rows, their minima, and then for each column
/// its 48 elements; of 4 bits, those of two columns share 48 bytes, the first in the lower bits.
/// The rows that the last panel lacks are 0.
struct WeightLayout {
  static constexpr Index panel_rows = 48;

  WeightFormat format;
  Index rows, columns;  ///< out, in

  Index panels() const { return (rows + panel_rows - 1) / panel_rows; }
  Index groups() const { return (columns + format.group - 1) / format.group; }
  Index scale_size() const { return format.wide_scales ? 4 : 2; }
  /// Bytes of the scales, and as many of the minima.
  Index scales_size() const { return format.has_scales() ? panel_rows * scale_size() : 0; }
  Index header_size() const { return scales_size() * (format.has_minimum ? 2 : 1); }
  Index group_size() const {
    const Index elements = panel_rows * format.group;
    if (format.storage == Storage::int4) return header_size() + elements / 2;
    return header_size() + (format.storage == Storage::int8 ? elements : 2 * elements);
  }
  Index panel_size() const { return groups() * group_size(); }
  /// The first byte of a group of a panel.
  Index group_at(Index panel, Index group) const {
    return panel * panel_size() + group * group_size();
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
