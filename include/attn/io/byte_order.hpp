#pragma once

#include <algorithm>
#include <array>
#include <attn/files/atomic_file.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Reverses the order of the bytes in each element of `size` bytes.
inline void swap_bytes(std::span<std::byte> elements, std::size_t size) {
  for (std::size_t at = 0; at < elements.size(); at += size)
    std::reverse(&elements[at], &elements[at] + size);
}

/// The unsigned integer in at most 8 bytes, the least significant of which is the first.
inline std::uint64_t from_little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

/// An unsigned integer in 8 bytes, the least significant of which is the first.
inline std::array<std::byte, 8> to_little_endian(std::uint64_t value) {
  std::array<std::byte, 8> bytes;
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(value & 0xFF);
    value >>= 8;
  }
  return bytes;
}

/// Writes elements of `size` bytes, which lie in memory in the machine's order of bytes, as files
/// hold them: the least significant byte first. A file is an AtomicFile, or anything that has its
/// `write`.
template <class File>
void write_little_endian(File& file, std::span<const std::byte> elements, std::size_t size) {
  if (std::endian::native == std::endian::little || size == 1) return file.write(elements);
  constexpr std::size_t block = 1 << 16;  // a multiple of every size
  std::vector<std::byte> swapped;
  for (std::size_t begin = 0; begin < elements.size(); begin += block) {
    const auto part = elements.subspan(begin, std::min(block, elements.size() - begin));
    swapped.assign(part.begin(), part.end());
    swap_bytes(swapped, size);
    file.write(swapped);
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
