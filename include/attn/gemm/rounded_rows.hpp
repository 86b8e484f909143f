#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_ROUNDED_ROWS_HPP
#define ATTN_GEMM_ROUNDED_ROWS_HPP

#include <attn/gemm/register_block.hpp>
#include <bit>
#include <cstring>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// 32 neighbors x of a row, rounded to integers q from −127 to 127: x ≈ scale · q, with
///   scale = max |x| / 127      q = x · (127 / max |x|), rounded to nearest, ties to even
/// Numerics: where an x is not finite, the scale is NaN. Where max |x| is so small that
/// 127 / max |x| overflows, which is below 4e-37, all are 0.
struct RoundedBlock {
  static constexpr Index size = 32;

  float scale;
  std::int32_t sum_of_16[2];  ///< the sums of the first 16 integers and of the others
  std::int8_t integers[size];

  /// The sum of `count` integers from a multiple of 16 on.
  std::int32_t sum(Index first, Index count) const {
    const std::int32_t half = sum_of_16[first / 16];
    return count > 16 ? half + sum_of_16[1] : half;
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/rounded_rows.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The largest magnitude of a block; NaN, or infinity, where one is not finite.
inline float largest_magnitude(const float* x) {
  constexpr Index lanes = simd::lanes<float>;
  using Integers = simd::Register<std::int32_t, lanes>;
  // Bits of floats that are not negative are ordered as the floats are, NaN beyond infinity.
  Integers largest{};
  for (Index i = 0; i < RoundedBlock::size; i += lanes) {
    const Integers bits = simd::load_packet<Integers>(x + i) & 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  simd::Array<std::int32_t, lanes> of_lanes;
  simd::store_packet(of_lanes.data, largest);
  return std::bit_cast<float>(*std::max_element(of_lanes.data, of_lanes.data + lanes));
}

/// Writes integers of a block, each as a byte.
inline void narrow(const std::int32_t* integers, std::int8_t* to) {
  constexpr int low = std::endian::native == std::endian::little ? 0 : 3;
  for (Index i = 0; i < RoundedBlock::size; i += 4) {
    auto bytes = simd::load_packet<simd::Register<std::int8_t, 16> >(integers + i);
    bytes = __builtin_shufflevector(bytes, bytes, low, low + 4, low + 8, low + 12, low, low + 4,
                                    low + 8, low + 12, low, low + 4, low + 8, low + 12, low,
                                    low + 4, low + 8, low + 12);
    std::memcpy(to + i, &bytes, 4);
  }
}

inline RoundedBlock rounded_block(const float* x) {
  constexpr Index lanes = simd::lanes<float>, size = RoundedBlock::size;
  using Floats = simd::Register<float, lanes>;
  using Integers = simd::Register<std::int32_t, lanes>;
  RoundedBlock block{};
  const float largest = largest_magnitude(x), factor = 127 / largest;
  if (!(largest <= std::numeric_limits<float>::max()))
    block.scale = std::numeric_limits<float>::quiet_NaN();
  else if (factor <= std::numeric_limits<float>::max()) block.scale = largest / 127;
  if (!(block.scale > 0)) return block;

  // The sum with 1.5 · 2²³ is rounded to an integer, which its lowest bits are.
  constexpr float large = 0x1.8p23F;
  simd::Array<std::int32_t, size> integers;
  for (Index i = 0; i < size; i += lanes) {
    const Floats sum = simd::fused_multiply_add(simd::load_packet<Floats>(x + i),
                                                simd::broadcast<float, lanes>(factor),
                                                simd::broadcast<float, lanes>(large));
    const Integers rounded = simd::reinterpret<Integers>(sum) - std::bit_cast<std::int32_t>(large);
    simd::store_packet(integers.data + i, rounded);
  }
  narrow(integers.data, block.integers);
  for (Index i = 0; i < size / 2; ++i) block.sum_of_16[0] += integers[i];
  for (Index i = size / 2; i < size; ++i) block.sum_of_16[1] += integers[i];
  return block;
}

/// Rounds a row of A. What the last block lacks is 0.
template <class T>
void round_row(const LeftFactor<T>& A, Index row, Index columns, RoundedBlock* to) {
  constexpr Index size = RoundedBlock::size;
  for (Index first = 0; first < columns; first += size, ++to) {
    const T* const from = A.at(row, first);
    if constexpr (std::is_same_v<T, float>)
      if (A.stride == 1 && first + size <= columns) {
        *to = rounded_block(from);
        continue;
      }
    simd::Array<float, size> x{};
    for (Index k = 0; k < std::min(size, columns - first); ++k)
      x[k] = static_cast<float>(from[k * A.stride]);
    *to = rounded_block(x.data);
  }
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
