#pragma once

#include <attn/core/shared_pages.hpp>
#include <attn/gemm/weight_layout.hpp>
#include <cstddef>
#include <cstring>

namespace attn {
inline namespace ATTN_ABI {

/// A weight W (out, in) that is stored in 16, 8 or 4 bits. Products with its transpose are bitwise
/// those with the numbers that it stands for. Copies share the memory: it is set before they are
/// made.
class StoredMatrix {
  using Layout = detail::WeightLayout;

 public:
  StoredMatrix() = default;
  /// Zeros, to be set.
  StoredMatrix(const WeightFormat& format, Index rows, Index columns)
      : layout_{format, rows, columns}, memory_(detail::shared_pages(size())) {}

  Index rows() const { return layout_.rows; }
  Index columns() const { return layout_.columns; }
  const WeightFormat& format() const { return layout_.format; }
  const detail::WeightLayout& layout() const { return layout_; }
  const std::byte* data() const { return memory_.get(); }
  /// Bytes of memory.
  Index size() const { return layout_.panels() * layout_.panel_size(); }

  /// Sets an element of 16 bits.
  template <StoredNumber Stored>
  void set(Index row, Index column, Stored value) {
    const Index g = column / format().group;
    store(group(row, g) + 2 * element(row, column - g * format().group), value);
  }
  /// Sets group g of a row of integers, of which the last group needs only what the row has.
  void set(Index row, Index g, const WeightGroup& given) {
    std::byte* const to = group(row, g);
    set_scale(to, row, given.scale);
    if (format().has_minimum) set_scale(to + layout_.scales_size(), row, given.minimum);
    std::byte* integers = to + layout_.header_size() + element(row, 0);
    const Index count = std::min(format().group, columns() - g * format().group);
    const auto bits = [&](Index k) { return static_cast<std::byte>(given.integers[k]); };
    if (format().storage == Storage::int8) {
      for (Index k = 0; k < count; ++k, integers += Layout::panel_rows) *integers = bits(k);
    } else {
      for (Index k = 0; k < count; k += 2, integers += Layout::panel_rows)
        *integers = k + 1 < count ? bits(k) | bits(k + 1) << 4 : bits(k);
    }
  }

  /// One element of W.
  float operator()(Index row, Index column) const {
    const Index g = column / format().group, k = column - g * format().group;
    const std::byte* const from = group(row, g);
    if (format().storage == Storage::bfloat16)
      return static_cast<float>(load<bfloat16>(from + 2 * element(row, k)));
    if (format().storage == Storage::float16)
      return static_cast<float>(load<float16>(from + 2 * element(row, k)));
    const float scale = scale_of(from, row);
    const std::byte* const integers = from + layout_.header_size();
    const float minimum = format().has_minimum ? scale_of(from + layout_.scales_size(), row) : 0;
    if (format().storage == Storage::int8)
      return scale * static_cast<float>(load<std::int8_t>(integers + element(row, k))) + minimum;
    const int both = std::to_integer<int>(integers[element(row, k / 2)]);
    const int q = k % 2 == 0 ? both & 15 : both >> 4;
    return scale * static_cast<float>(format().has_minimum ? q : q - 8) + minimum;
  }

 private:
  template <class Value>
  static void store(std::byte* to, Value value) {
    std::memcpy(to, &value, sizeof(value));
  }
  template <class Value>
  static Value load(const std::byte* from) {
    Value value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  void set_scale(std::byte* scales, Index row, float scale) {
    std::byte* const to = scales + row % Layout::panel_rows * layout_.scale_size();
    if (format().wide_scales) store(to, scale);
    else store(to, static_cast<float16>(scale));
  }
  float scale_of(const std::byte* scales, Index row) const {
    const std::byte* const from = scales + row % Layout::panel_rows * layout_.scale_size();
    return format().wide_scales ? load<float>(from) : static_cast<float>(load<float16>(from));
  }
  /// The place of an element among those of its group.
  static Index element(Index row, Index k) {
    return k * Layout::panel_rows + row % Layout::panel_rows;
  }
  std::byte* group(Index row, Index g) {
    return memory_.get() + layout_.group_at(row / Layout::panel_rows, g);
  }
  const std::byte* group(Index row, Index g) const {
    return memory_.get() + layout_.group_at(row / Layout::panel_rows, g);
  }

  detail::WeightLayout layout_{{Storage::bfloat16}, 0, 0};
  std::shared_ptr<std::byte> memory_;
};

}  // namespace ATTN_ABI
}  // namespace attn
