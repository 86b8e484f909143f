#pragma once

#include <attn/io/gguf_blocks.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

// Blocks of 256 values with scales of two levels: a part of 16 or 32 values has an integer scale s,
// and some formats an integer minimum t, which the block's d and dmin multiply. Quotients are
// rounded down.
//
// Numerics: d s q_i is exact in float (at most 11 + 7 + 5 bits) and so is dmin t; see
// gguf_blocks.hpp.
// NOLINTBEGIN(readability-identifier-naming)

/// `width` bits of a byte from bit `shift` on.
inline int bits_at(std::byte byte, std::size_t shift, int width) {
  return (std::to_integer<int>(byte) >> shift) & ((1 << width) - 1);
}

/// x_i = d s q_i − dmin t, with q_i of 2 bits, and s and t of 4 for the part i/16.
/// Bytes 0–15: s in the low and t in the high bits; 16–79: q_i in byte 32 (i/128) + i mod 32, from
/// bit 2 (i/32 mod 4) on; 80–81: d; 82–83: dmin.
struct Q2_K {
  static constexpr std::size_t count = 256, part_count = 16, size = 84;
  static constexpr WeightFormat format{
      .storage = Storage::int4, .has_minimum = true, .wide_scales = true, .group = 16};

  static BlockPart<16> part(std::span<const std::byte, size> block, std::size_t p) {
    const float d = half_at(block, 80), dmin = half_at(block, 82);
    BlockPart<16> x{d * static_cast<float>(low_bits(block[p])),
                    -(dmin * static_cast<float>(high_bits(block[p]))),
                    {}};
    const std::byte* q = &block[16 + p / 8 * 32 + p % 2 * 16];
    for (std::size_t i = 0; i < 16; ++i)
      x.q[i] = static_cast<std::int8_t>(bits_at(q[i], p / 2 % 4 * 2, 2));
    return x;
  }
};

/// x_i = d (s − 32) (q_i − 4), with q_i of 3 bits, and s of 6 for the part p = i/16.
/// Bytes 0–31: the third bit of q_i, bit i/32 of byte i mod 32; 32–95: the others in byte
/// 32 (i/128) + i mod 32, from bit 2 (i/32 mod 4) on; 96–103: four bits of s in byte p mod 8, from
/// bit 4 (p/8) on; 104–107: the other two in byte p mod 4, from bit 2 (p/4) on; 108–109: d.
struct Q3_K {
  static constexpr std::size_t count = 256, part_count = 16, size = 110;
  static constexpr WeightFormat format{.storage = Storage::int4, .wide_scales = true, .group = 16};

  static BlockPart<16> part(std::span<const std::byte, size> block, std::size_t p) {
    const std::byte* scales = &block[96];
    const int s = bits_at(scales[p % 8], p / 8 * 4, 4) | bits_at(scales[8 + p % 4], p / 4 * 2, 2)
                                                             << 4;
    BlockPart<16> x{half_at(block, 108) * static_cast<float>(s - 32), 0, {}};
    const std::byte* third = &block[p % 2 * 16];
    const std::byte* q = &block[32 + p / 8 * 32 + p % 2 * 16];
    for (std::size_t i = 0; i < 16; ++i) {
      const int value = bits_at(q[i], p / 2 % 4 * 2, 2) | bits_at(third[i], p / 2, 1) << 2;
      x.q[i] = static_cast<std::int8_t>(value - 4);
    }
    return x;
  }
};

/// The scale s_p and the minimum t_p of a part of Q4_K and Q5_K, 6 bits each, in 12 bytes.
/// Bytes 0–3: s_p in the low six bits, for p < 4; 4–7: t_p likewise; 8–11: for the others, four
/// bits of s_p in the low and of t_p in the high bits of byte p + 4; the other two of each in the
/// high bits of bytes p − 4 and p.
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

/// The part p of Q4_K or Q5_K, without its q_i: d, dmin, and then ScaleAndMinimum, at the beginning
/// of the block.
inline BlockPart<32> part_of_256(std::span<const std::byte> block, std::size_t p) {
  const ScaleAndMinimum both(&block[4], p);
  return {half_at(block, 0) * static_cast<float>(both.s),
          -(half_at(block, 2) * static_cast<float>(both.t)),
          {}};
}

/// x_i = d s q_i − dmin t, with q_i of 4 bits, and s and t of 6 for the part i/32.
/// Bytes 0–1: d; 2–3: dmin; 4–15: s and t, see ScaleAndMinimum; 16–143: q_i in byte
/// 32 (i/64) + i mod 32, in the low bits of even parts and the high bits of odd ones.
struct Q4_K {
  static constexpr std::size_t count = 256, part_count = 32, size = 144;
  static constexpr WeightFormat format{
      .storage = Storage::int4, .has_minimum = true, .wide_scales = true};

  static BlockPart<32> part(std::span<const std::byte, size> block, std::size_t p) {
    BlockPart<32> x = part_of_256(block, p);
    const std::byte* q = &block[16 + p / 2 * 32];
    for (std::size_t i = 0; i < 32; ++i)
      x.q[i] = static_cast<std::int8_t>(bits_at(q[i], p % 2 * 4, 4));
    return x;
  }
};

/// x_i = d s q_i − dmin t, with q_i of 5 bits, and s and t of 6 for the part i/32.
/// Bytes 0–1: d; 2–3: dmin; 4–15: s and t, see ScaleAndMinimum; 16–47: the fifth bit of q_i, bit
/// i/32 of byte i mod 32; 48–175: the others, as in Q4_K.
struct Q5_K {
  static constexpr std::size_t count = 256, part_count = 32, size = 176;
  static constexpr WeightFormat format{
      .storage = Storage::int8, .has_minimum = true, .wide_scales = true};

  static BlockPart<32> part(std::span<const std::byte, size> block, std::size_t p) {
    BlockPart<32> x = part_of_256(block, p);
    const std::byte* fifth = &block[16];
    const std::byte* q = &block[48 + p / 2 * 32];
    for (std::size_t i = 0; i < 32; ++i)
      x.q[i] = static_cast<std::int8_t>(bits_at(q[i], p % 2 * 4, 4) | bits_at(fifth[i], p, 1) << 4);
    return x;
  }
};

/// x_i = d s (q_i − 32), with q_i of 6 bits, and s of 8, with a sign, for the part i/16.
/// Bytes 0–127: four bits of q_i in byte 64 (i/128) + i mod 64, from bit 4 (i/64 mod 2) on;
/// 128–191: the other two in byte 32 (i/128) + i mod 32, from bit 2 (i/32 mod 4) on; 192–207: s;
/// 208–209: d.
struct Q6_K {
  static constexpr std::size_t count = 256, part_count = 16, size = 210;
  static constexpr WeightFormat format{.storage = Storage::int8, .wide_scales = true, .group = 16};

  static BlockPart<16> part(std::span<const std::byte, size> block, std::size_t p) {
    const auto s = static_cast<std::int8_t>(block[192 + p]);
    BlockPart<16> x{half_at(block, 208) * static_cast<float>(s), 0, {}};
    const std::byte* low = &block[p / 8 * 64 + p % 4 * 16];
    const std::byte* high = &block[128 + p / 8 * 32 + p % 2 * 16];
    for (std::size_t i = 0; i < 16; ++i) {
      const int value = bits_at(low[i], p / 4 % 2 * 4, 4) | bits_at(high[i], p / 2 % 4 * 2, 2) << 4;
      x.q[i] = static_cast<std::int8_t>(value - 32);
    }
    return x;
  }
};

// NOLINTEND(readability-identifier-naming)

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
