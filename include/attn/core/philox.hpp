#pragma once

#include <array>
#include <attn/core/config.hpp>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

constexpr std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

/// Philox4x32-10: 128 random bits as a pure function of a counter and a key.
/// [Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011]
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high_word(b) ^ counter[1] ^ key[0], low_word(b), high_word(a) ^ counter[3] ^ key[1],
               low_word(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Block `counter` of a seed's stream.
constexpr std::array<std::uint32_t, 4> philox_block(std::uint64_t seed, std::uint64_t counter) {
  return philox4x32({low_word(counter), high_word(counter), 0, 0},
                    {low_word(seed), high_word(seed)});
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
