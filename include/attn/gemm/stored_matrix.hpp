#pragma once

#include <attn/core/shared_pages.hpp>
#include <attn/gemm/weight_layout.hpp>
#include <cstddef>
#include <cstring>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// A weight W (out, in) that is stored as products read it, in 32, 16, 8 or 4 bits. Products with
/// its transpose are bitwise those with the numbers that it stands for. Copies share the memory: it
/// is set before they are made.
class StoredMatrix {
  using Layout = detail::WeightLayout;

 public:
  StoredMatrix() = default;
  /// Every element is to be set.
  StoredMatrix(const WeightFormat& format, Index rows, Index columns)
      : layout_{format, rows, columns},
        memory_(detail::shared_pages(static_cast<std::size_t>(size()))) {
    clear_what_is_beyond();
  }

  Index rows() const { return layout_.rows; }
  Index columns() const { return layout_.columns; }
  const WeightFormat& format() const { return layout_.format; }
  const detail::WeightLayout& layout() const { return layout_; }
  const std::byte* data() const { return memory_.get(); }
  /// Bytes of memory.
  Index size() const { return layout_.panels() * layout_.panel_size(); }

  /// Sets some elements of a row, from a column on, where they are stored as such numbers.
  template <WeightNumber Number>
  void set(Index row, Index column, std::span<const Number> values) {
    std::byte* to = group(row, 0) + layout_.number_at(row, column);
    for (const Number& value : values) {
      store(to, value);
      to += Layout::panel_rows * Index{sizeof(Number)};
    }
  }
  /// Sets group g of a row of integers, of which the last group needs only what the row has.
  void set(Index row, Index g, const WeightGroup& given) {
    std::byte* const to = group(row, g);
    set_scale(to, row, given.scale);
    if (format().has_minimum) set_scale(to + layout_.scales_size(), row, given.minimum);
    std::byte* const integers = to + layout_.header_size();
    const Index count = std::min(format().group, columns() - g * format().group);
    for (Index k = 0; k < count; ++k) {
      std::byte& byte = integers[layout_.byte_at(row, k)];
      const auto value = static_cast<std::byte>(given.integers[k]);
      if (format().storage == Storage::int8) byte = value;
      else if (Layout::is_upper(k)) byte |= value << 4;
      else byte = value;
    }
  }

  /// One element of W.
  float operator()(Index row, Index column) const {
    const std::byte* const number = group(row, 0) + layout_.number_at(row, column);
    switch (format().storage) {
      case Storage::float32: return load<float>(number);
      case Storage::bfloat16: return static_cast<float>(load<bfloat16>(number));
      case Storage::float16: return static_cast<float>(load<float16>(number));
      case Storage::int8:
      case Storage::int4: break;
    }
    const Index g = column / format().group, k = column - g * format().group;
    const std::byte* const from = group(row, g);
    const float scale = scale_of(from, row);
    const std::byte* const integers = from + layout_.header_size();
    const float minimum = format().has_minimum ? scale_of(from + layout_.scales_size(), row) : 0;
    const std::byte byte = integers[layout_.byte_at(row, k)];
    if (format().storage == Storage::int8)
      return scale * static_cast<float>(std::to_integer<std::int8_t>(byte)) + minimum;
    const int q = std::to_integer<int>(Layout::is_upper(k) ? byte >> 4 : byte & std::byte{15});
    return scale * static_cast<float>(q - format().zero()) + minimum;
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
  /// Clears the last panel if it lacks rows, and the last group of each if it lacks columns.
  void clear_what_is_beyond() {
    const Index size = layout_.group_size(), groups = layout_.groups();
    for (Index row = 0; row < rows(); row += Layout::panel_rows) {
      if (columns() % format().group != 0) std::fill_n(group(row, groups - 1), size, std::byte{0});
      if (row + Layout::panel_rows > rows())
        std::fill_n(group(row, 0), layout_.panel_size(), std::byte{0});
    }
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
