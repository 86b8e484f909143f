#pragma once

#include <attn/core/weight_format.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A weight W (out, in) in memory, as products read it: panels of 48 rows, each with its groups one
/// after the other. A group has the scales of the 48 rows, their minima, and then its elements. Of
/// numbers these are the 48 elements of each column. Integers lie in words of 4 bytes, which hold
/// neighbors of a row: those of columns 0 to 3 of each row, then those of columns 4 to 7. Of 4
/// bits, a word holds the columns 0 to 3 in the lower halves of its bytes, and 4 to 7 in the upper.
/// What lies beyond the last row or column is 0 or unused.
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
    if (format.storage == Storage::int8) return header_size() + elements;
    return elements * format.number_size();
  }
  Index panel_size() const { return groups() * group_size(); }
  /// The first byte of an element that is a number, in its panel: there the groups have no scales,
  /// and columns follow each other.
  Index number_at(Index row, Index column) const {
    return (column * panel_rows + row % panel_rows) * format.number_size();
  }
  /// Integers in a word of 4 bytes.
  static constexpr Index per_word(Storage storage) { return storage == Storage::int4 ? 8 : 4; }
  /// The byte of integer k of a row, among the integers of its group.
  Index byte_at(Index row, Index k) const {
    const Index word = k / per_word(format.storage) * panel_rows + row % panel_rows;
    return 4 * word + k % 4;
  }
  /// Whether integer k of 4 bits is the upper half of its byte.
  static constexpr bool is_upper(Index k) { return k % 8 >= 4; }
  /// The first byte of a group of a panel.
  Index group_at(Index panel, Index group) const {
    return panel * panel_size() + group * group_size();
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
