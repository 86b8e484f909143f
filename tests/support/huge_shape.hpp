#pragma once

#include <attn/core/shape.hpp>
#include <string>

/// Bits of the largest Index: 63, or 31 on a machine of 32 bits.
inline constexpr int index_bits = std::numeric_limits<attn::Index>::digits;

/// huge × huge elements are one more than as many bits as a pointer has can count.
inline constexpr attn::Index huge = attn::Index{1} << (index_bits + 1) / 2;

/// The sentence that refuses these extents.
inline std::string too_huge(std::initializer_list<attn::Index> shape) {
  return "Tensor: shape " + attn::to_string(std::vector<attn::Index>(shape)) +
         " has more elements than this machine can address";
}
