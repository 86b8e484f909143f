#pragma once

#include <attn/io/byte_order.hpp>
#include <attn/io/dtype.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

// Blocks of quantized values, as ggml lays them out in a file. Each format has a scale d, and some
// a minimum m, for all values of a block, in half precision, little-endian. The names are the ones
// that files use.
//
// Numerics: d and m have 11 bits and an integer q_i at most 8, so that their product is exact in
// float and nothing but a sum is rounded: the values are bitwise those of ggml, whether or not the
// compiler fuses d q_i + m.
// NOLINTBEGIN(readability-identifier-naming)

/// The half-precision value in two bytes.
inline float half_at(const std::byte* from) {
  const auto bits = static_cast<std::uint16_t>(from_little_endian({from, 2}));
  return static_cast<float>(std::bit_cast<Eigen::half>(bits));
}
/// The low and the high four bits of a byte.
inline int low_bits(std::byte byte) { return std::to_integer<int>(byte & std::byte{15}); }
inline int high_bits(std::byte byte) { return std::to_integer<int>(byte >> 4); }
/// Bit i, as the fifth bit of an integer.
inline int fifth_bit(std::uint32_t bits, std::size_t i) {
  return static_cast<int>(bits >> i & 1) << 4;
}

/// x_i = d q_i, with q_i of 8 bits. Bytes 0–1: d; 2–33: q_i.
struct Q8_0 {
  static constexpr std::size_t count = 32, size = 2 + count;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(block.data());
    const std::byte* q = &block[2];
    for (std::size_t i = 0; i < count; ++i)
      x[i] = d * static_cast<float>(static_cast<std::int8_t>(q[i]));
  }
};

/// x_i = d (q_i − 8), with q_i of 4 bits. Bytes 0–1: d; 2–17: q_i in byte i mod 16, in the low bits
/// for i < 16 and the high bits for the others.
struct Q4_0 {
  static constexpr std::size_t count = 32, half = count / 2, size = 2 + half;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(block.data());
    const std::byte* q = &block[2];
    for (std::size_t i = 0; i < half; ++i) {
      x[i] = d * static_cast<float>(low_bits(q[i]) - 8);
      x[i + half] = d * static_cast<float>(high_bits(q[i]) - 8);
    }
  }
};

/// x_i = d q_i + m, with q_i of 4 bits. Bytes 0–1: d; 2–3: m; 4–19: q_i, as in Q4_0.
struct Q4_1 {
  static constexpr std::size_t count = 32, half = count / 2, size = 4 + half;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(&block[0]), m = half_at(&block[2]);
    const std::byte* q = &block[4];
    for (std::size_t i = 0; i < half; ++i) {
      x[i] = d * static_cast<float>(low_bits(q[i])) + m;
      x[i + half] = d * static_cast<float>(high_bits(q[i])) + m;
    }
  }
};

/// x_i = d (q_i − 16), with q_i of 5 bits. Bytes 0–1: d; 2–5: the fifth bit of q_i in bit i; 6–21:
/// the others, as in Q4_0.
struct Q5_0 {
  static constexpr std::size_t count = 32, half = count / 2, size = 6 + half;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(block.data());
    const auto fifth = static_cast<std::uint32_t>(from_little_endian(block.subspan<2, 4>()));
    const std::byte* q = &block[6];
    for (std::size_t i = 0; i < half; ++i) {
      x[i] = d * static_cast<float>((low_bits(q[i]) | fifth_bit(fifth, i)) - 16);
      x[i + half] = d * static_cast<float>((high_bits(q[i]) | fifth_bit(fifth, i + half)) - 16);
    }
  }
};

/// x_i = d q_i + m, with q_i of 5 bits. Bytes 0–1: d; 2–3: m; 4–7: the fifth bit of q_i in bit i;
/// 8–23: the others, as in Q4_0.
struct Q5_1 {
  static constexpr std::size_t count = 32, half = count / 2, size = 8 + half;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(&block[0]), m = half_at(&block[2]);
    const auto fifth = static_cast<std::uint32_t>(from_little_endian(block.subspan<4, 4>()));
    const std::byte* q = &block[8];
    for (std::size_t i = 0; i < half; ++i) {
      x[i] = d * static_cast<float>(low_bits(q[i]) | fifth_bit(fifth, i)) + m;
      x[i + half] = d * static_cast<float>(high_bits(q[i]) | fifth_bit(fifth, i + half)) + m;
    }
  }
};

// NOLINTEND(readability-identifier-naming)

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
