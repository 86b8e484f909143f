#pragma once

#include <attn/core/weight_format.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/dtype.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

// Blocks of quantized values, as ggml lays them out in a file. Each format has a scale d, and some
// a minimum m, for all values of a block, in half precision, little-endian. The names are the ones
// that files use. `format` is how products keep such values: with the same integers and scales.
//
// Numerics: d and m have 11 bits and an integer q_i at most 8, so that their product is exact in
// float and nothing but a sum is rounded: the values are bitwise those of ggml, whether or not the
// compiler fuses d q_i + m.
// NOLINTBEGIN(readability-identifier-naming)

/// The half-precision value in two bytes of a block.
inline float half_at(std::span<const std::byte> block, std::size_t at) {
  const auto bits = static_cast<std::uint16_t>(from_little_endian(block.subspan(at, 2)));
  return static_cast<float>(std::bit_cast<Eigen::half>(bits));
}
/// The low and the high four bits of a byte.
inline int low_bits(std::byte byte) { return std::to_integer<int>(byte & std::byte{15}); }
inline int high_bits(std::byte byte) { return std::to_integer<int>(byte >> 4); }
/// Bit i, as the fifth bit of an integer.
inline int fifth_bit(std::uint32_t bits, std::size_t i) {
  return static_cast<int>(bits >> i & 1) << 4;
}

/// Some neighbors of a block, x_i = scale q_i, or scale q_i + minimum where the format has one.
template <std::size_t n>
struct BlockPart {
  float scale, minimum;
  std::array<std::int8_t, n> q;
};
/// The values of a block.
template <class Block>
void decode_block(std::span<const std::byte, Block::size> block, std::span<float, Block::count> x) {
  for (std::size_t p = 0; p < Block::count / Block::part_count; ++p) {
    const auto part = Block::part(block, p);
    float* const to = &x[p * Block::part_count];
    for (std::size_t i = 0; i < Block::part_count; ++i) {
      const float product = part.scale * static_cast<float>(part.q[i]);
      to[i] = Block::format.has_minimum ? product + part.minimum : product;
    }
  }
}

/// x_i = d q_i, with q_i of 8 bits. Bytes 0–1: d; 2–33: q_i.
struct Q8_0 {
  static constexpr std::size_t count = 32, part_count = count, size = 2 + count;
  static constexpr WeightFormat format{.storage = Storage::int8};

  static BlockPart<count> part(std::span<const std::byte, size> block, std::size_t) {
    BlockPart<count> x{half_at(block, 0), 0, {}};
    std::memcpy(x.q.data(), &block[2], count);
    return x;
  }
};

/// q_i of 4 bits in byte i mod 16, in the low bits for i < 16 and the high bits for the others.
inline BlockPart<32> four_bits_of(const std::byte* q, float scale, float minimum) {
  BlockPart<32> x{scale, minimum, {}};
  for (std::size_t i = 0; i < 16; ++i) {
    x.q[i] = static_cast<std::int8_t>(low_bits(q[i]));
    x.q[i + 16] = static_cast<std::int8_t>(high_bits(q[i]));
  }
  return x;
}
/// The same with a fifth bit, bit i of a little-endian integer.
inline BlockPart<32> five_bits_of(std::span<const std::byte, 20> bytes, float scale,
                                  float minimum) {
  const auto fifth = static_cast<std::uint32_t>(from_little_endian(bytes.first<4>()));
  BlockPart<32> x = four_bits_of(&bytes[4], scale, minimum);
  for (std::size_t i = 0; i < 32; ++i)
    x.q[i] = static_cast<std::int8_t>(x.q[i] | fifth_bit(fifth, i));
  return x;
}
/// q_i − zero, for formats whose q_i are positive and stand for integers with a sign.
inline BlockPart<32> around(int zero, BlockPart<32> x) {
  for (std::int8_t& q : x.q) q = static_cast<std::int8_t>(q - zero);
  return x;
}

/// x_i = d (q_i − 8), with q_i of 4 bits. Bytes 0–1: d; 2–17: q_i, see four_bits_of.
struct Q4_0 {
  static constexpr std::size_t count = 32, part_count = count, size = 18;
  static constexpr WeightFormat format{.storage = Storage::int4};

  static BlockPart<count> part(std::span<const std::byte, size> block, std::size_t) {
    return around(8, four_bits_of(&block[2], half_at(block, 0), 0));
  }
};

/// x_i = d q_i + m, with q_i of 4 bits. Bytes 0–1: d; 2–3: m; 4–19: q_i, as in Q4_0.
struct Q4_1 {
  static constexpr std::size_t count = 32, part_count = count, size = 20;
  static constexpr WeightFormat format{.storage = Storage::int4, .has_minimum = true};

  static BlockPart<count> part(std::span<const std::byte, size> block, std::size_t) {
    return four_bits_of(&block[4], half_at(block, 0), half_at(block, 2));
  }
};

/// x_i = d (q_i − 16), with q_i of 5 bits. Bytes 0–1: d; 2–5: the fifth bit of q_i in bit i; 6–21:
/// the others, as in Q4_0.
struct Q5_0 {
  static constexpr std::size_t count = 32, part_count = count, size = 22;
  static constexpr WeightFormat format{.storage = Storage::int8};

  static BlockPart<count> part(std::span<const std::byte, size> block, std::size_t) {
    return around(16, five_bits_of(block.subspan<2>(), half_at(block, 0), 0));
  }
};

/// x_i = d q_i + m, with q_i of 5 bits. Bytes 0–1: d; 2–3: m; 4–7: the fifth bit of q_i in bit i;
/// 8–23: the others, as in Q4_0.
struct Q5_1 {
  static constexpr std::size_t count = 32, part_count = count, size = 24;
  static constexpr WeightFormat format{.storage = Storage::int8, .has_minimum = true};

  static BlockPart<count> part(std::span<const std::byte, size> block, std::size_t) {
    return five_bits_of(block.subspan<4>(), half_at(block, 0), half_at(block, 2));
  }
};

// NOLINTEND(readability-identifier-naming)

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
