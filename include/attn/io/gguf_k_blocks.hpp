#pragma once

#include <attn/io/gguf_blocks.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

// Blocks of 256 values with scales of two levels: a part of 16 or 32 values has an integer scale s,
// and some an integer minimum t, which d and the half-precision value `dmin` of the block multiply.
// Numerics: d s q is exact in float (at most 11 + 7 + 5 bits) and so is dmin t, as in
// gguf_blocks.hpp.
// NOLINTBEGIN(readability-identifier-naming)

/// `width` bits of a byte from bit `shift` on.
inline int bits_at(std::byte byte, std::size_t shift, int width) {
  return (std::to_integer<int>(byte) >> shift) & ((1 << width) - 1);
}

/// x_i = d s q_i − dmin t, with q_i, s and t of 2, 4 and 4 bits: 16 bytes with s and t of the 16
/// parts, 64 bytes with the q of values 32 apart, d, dmin.
struct Q2_K {
  static constexpr std::size_t count = 256, size = 84;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const std::byte *scales = &block[0], *q = &block[16];
    const float d = half_at(&block[80]), dmin = half_at(&block[82]);
    for (std::size_t part = 0; part < 16; ++part) {
      const float scale = d * static_cast<float>(low_bits(scales[part]));
      const float minimum = dmin * static_cast<float>(high_bits(scales[part]));
      for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
        const int value = bits_at(q[i / 128 * 32 + i % 32], i / 32 % 4 * 2, 2);
        x[i] = scale * static_cast<float>(value) - minimum;
      }
    }
  }
};

/// x_i = d (s − 32) (q_i − 4), with q_i of 3 bits and s of 6: 32 bytes with the third bit of values
/// 32 apart, 64 bytes with their other two, 8 bytes with four bits of the 16 parts' scales and 4
/// with their other two, d.
struct Q3_K {
  static constexpr std::size_t count = 256, size = 110;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const std::byte *third = &block[0], *q = &block[32], *scales = &block[96];
    const float d = half_at(&block[108]);
    for (std::size_t part = 0; part < 16; ++part) {
      const int s = bits_at(scales[part % 8], part / 8 * 4, 4) |
                    bits_at(scales[8 + part % 4], part / 4 * 2, 2) << 4;
      const float scale = d * static_cast<float>(s - 32);
      for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
        const int value = bits_at(q[i / 128 * 32 + i % 32], i / 32 % 4 * 2, 2) |
                          bits_at(third[i % 32], i / 32, 1) << 2;
        x[i] = scale * static_cast<float>(value - 4);
      }
    }
  }
};

/// The scale s and the minimum t of a part, 6 bits each, from the 12 bytes that Q4_K and Q5_K have
/// for 8 of them: s_0 … s_3 and t_0 … t_3 in the low six bits of 8 bytes, four bits of s_4 … s_7
/// and of t_4 … t_7 in the last 4, and their other two bits above those of s_0 … s_3 and
/// t_0 … t_3.
struct ScaleAndMinimum {
  int s, t;

  ScaleAndMinimum(const std::byte* packed, std::size_t part) {
    const std::byte first = packed[part % 4], second = packed[part % 4 + 4];
    if (part < 4) {
      s = bits_at(first, 0, 6);
      t = bits_at(second, 0, 6);
    } else {
      s = low_bits(packed[part + 4]) | bits_at(first, 6, 2) << 4;
      t = high_bits(packed[part + 4]) | bits_at(second, 6, 2) << 4;
    }
  }
};

/// x_i = d s q_i − dmin t, with q_i of 4 bits: d, dmin, 12 bytes with s and t of the 8 parts, and
/// 32 bytes for each two parts with the q of both.
struct Q4_K {
  static constexpr std::size_t count = 256, size = 144;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(&block[0]), dmin = half_at(&block[2]);
    for (std::size_t part = 0; part < 8; ++part) {
      const ScaleAndMinimum both(&block[4], part);
      const float scale = d * static_cast<float>(both.s);
      const float minimum = dmin * static_cast<float>(both.t);
      const std::byte* q = &block[16 + part / 2 * 32];
      for (std::size_t i = 0; i < 32; ++i)
        x[32 * part + i] = scale * static_cast<float>(bits_at(q[i], part % 2 * 4, 4)) - minimum;
    }
  }
};

/// x_i = d s q_i − dmin t, with q_i of 5 bits: d, dmin, 12 bytes with s and t of the 8 parts, 32
/// bytes with the fifth bit of values 32 apart, and 32 bytes for each two parts with the others.
struct Q5_K {
  static constexpr std::size_t count = 256, size = 176;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const float d = half_at(&block[0]), dmin = half_at(&block[2]);
    const std::byte* fifth = &block[16];
    for (std::size_t part = 0; part < 8; ++part) {
      const ScaleAndMinimum both(&block[4], part);
      const float scale = d * static_cast<float>(both.s);
      const float minimum = dmin * static_cast<float>(both.t);
      const std::byte* q = &block[48 + part / 2 * 32];
      for (std::size_t i = 0; i < 32; ++i) {
        const int value = bits_at(q[i], part % 2 * 4, 4) | bits_at(fifth[i], part, 1) << 4;
        x[32 * part + i] = scale * static_cast<float>(value) - minimum;
      }
    }
  }
};

/// x_i = d s (q_i − 32), with q_i of 6 bits and s of 8, signed: 128 bytes with four bits of values
/// 64 apart, 64 bytes with the other two of values 32 apart, s of the 16 parts, d.
struct Q6_K {
  static constexpr std::size_t count = 256, size = 210;

  static void decode(std::span<const std::byte, size> block, std::span<float, count> x) {
    const std::byte *low = &block[0], *high = &block[128], *scales = &block[192];
    const float d = half_at(&block[208]);
    for (std::size_t part = 0; part < 16; ++part) {
      const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[part]));
      for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
        const int value = bits_at(low[i / 128 * 64 + i % 64], i / 64 % 2 * 4, 4) |
                          bits_at(high[i / 128 * 32 + i % 32], i / 32 % 4 * 2, 2) << 4;
        x[i] = scale * static_cast<float>(value - 32);
      }
    }
  }
};

// NOLINTEND(readability-identifier-naming)

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
