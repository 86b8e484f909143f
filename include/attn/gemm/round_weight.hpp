#pragma once

#include <array>
#include <attn/core/range.hpp>
#include <attn/gemm/stored_matrix.hpp>
#include <attn/parallel/executor.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// The nearest float of at most 16 significant bits, and a multiple of 2⁻¹²⁵: times an integer of 8
/// bits, and divided by 2²⁴, it is a float.
inline float of_16_bits(float x) {
  int exponent;
  std::frexp(x, &exponent);
  const int lowest = std::max(exponent - 16, -125);
  return std::ldexp(std::nearbyint(std::ldexp(x, -lowest)), lowest);
}

/// Elements of a group, at most.
inline constexpr std::size_t most_of_a_group = 32;

/// Rounds groups of a row to integers.
struct GroupRounding {
  WeightFormat format;

  float rounded(float scale) const {
    return format.wide_scales ? of_16_bits(scale) : static_cast<float>(static_cast<float16>(scale));
  }
  /// The scale and the minimum of a group, before they are rounded themselves.
  struct Extent {
    float scale, minimum;
  };
  template <class T>
  Extent extent(const T* x, Index count) const {
    const auto [least, most] = std::minmax_element(x, x + count);
    const float low = static_cast<float>(*least), high = static_cast<float>(*most);
    if (format.storage == Storage::int8) return {std::max(-low, high) / 127, 0};
    return {high / 15 - low / 15, low};
  }
  /// Writes the integers, and returns the group.
  template <class T>
  WeightGroup round(const T* x, Index count, std::int8_t* integers) const {
    const Extent exact = extent(x, count);
    const float scale = rounded(exact.scale), minimum = rounded(exact.minimum);
    const float least = format.storage == Storage::int8 ? -127 : 0,
                most = format.storage == Storage::int8 ? 127 : 15;
    for (Index i = 0; i < count; ++i) {
      const float q = scale > 0 ? (static_cast<float>(x[i]) - minimum) / scale : 0;
      integers[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(q), least, most));
    }
    return {scale, minimum, integers};
  }
};

/// Sets some elements, from (row, column) on, a group at most.
template <class T>
void set_rounded(StoredMatrix& stored, const GroupRounding& rounding, const Shape<2>& at,
                 std::span<const T> x) {
  const Index row = at[0], column = at[1];
  const auto set_numbers = [&]<class Number>(std::array<Number, most_of_a_group> numbers) {
    std::transform(x.begin(), x.end(), numbers.begin(),
                   [](T value) { return Number(static_cast<float>(value)); });
    stored.set(row, column, std::span<const Number>(numbers.data(), x.size()));
  };
  std::array<std::int8_t, most_of_a_group> integers;
  switch (rounding.format.storage) {
    case Storage::float32: return set_numbers(std::array<float, most_of_a_group>());
    case Storage::bfloat16: return set_numbers(std::array<bfloat16, most_of_a_group>());
    case Storage::float16: return set_numbers(std::array<float16, most_of_a_group>());
    case Storage::int8:
    case Storage::int4:
      return stored.set(row, column / rounding.format.group,
                        rounding.round(x.data(), std::ssize(x), integers.data()));
  }
}

/// Whether float16 holds a scale or minimum with all its bits: it is 0, or neither too small nor
/// too large.
inline bool fits_float16(float x) {
  return x == 0 || (std::abs(x) >= 0x1p-14F && std::abs(x) <= 65504);
}

}  // namespace detail

/// A weight W (out, in) rounded to a storage; float32 keeps floats as they are. int8: for 32
/// neighbors of a row a scale, max |w| / 127, and integers from −127 to 127. int4: a scale, (max w
/// − min w) / 15, the minimum, and integers from 0 to 15. W must be finite.
template <class T>
StoredMatrix round_weight(const TensorView<const T, 2>& W, Storage storage) {
  const Index rows = W.shape()[0], columns = W.shape()[1];
  detail::GroupRounding rounding{{.storage = storage, .has_minimum = storage == Storage::int4}};
  const Index size = rounding.format.group, panel = detail::WeightLayout::panel_rows;
  const auto for_each_group = [&](Range some, auto&& f) {
    for (Index first = 0; first < columns; first += size)
      for (Index row = some.begin; row < some.end; ++row)
        f(row, first, W.data() + row * W.strides()[0] + first, std::min(size, columns - first));
  };
  if (rounding.format.has_scales())
    for_each_group({0, rows}, [&](Index, Index, const T* x, Index count) {
      const auto extent = rounding.extent(x, count);
      if (!detail::fits_float16(extent.scale) || !detail::fits_float16(extent.minimum))
        rounding.format.wide_scales = true;
    });

  StoredMatrix stored(rounding.format, rows, columns);
  parallel_for(stored.layout().panels(), [&](Index p) {
    const Range some{p * panel, std::min(rows, (p + 1) * panel)};
    for_each_group(some, [&](Index row, Index first, const T* x, Index count) {
      detail::set_rounded(stored, rounding, {row, first}, std::span(x, std::size_t(count)));
    });
  });
  return stored;
}

}  // namespace ATTN_ABI
}  // namespace attn
