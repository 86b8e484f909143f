#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

// The bytes of GGUF files, in small parts that tests put together and spoil.

namespace gguf {

/// An integer, the least significant byte first.
template <class T>
std::string number(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes += static_cast<char>(static_cast<std::make_unsigned_t<T>>(value) >> (8 * i) & 0xFF);
  return bytes;
}
inline std::string u32(std::uint32_t value) { return number(value); }
inline std::string u64(std::uint64_t value) { return number(value); }
inline std::string text(const std::string& characters) {
  return u64(characters.size()) + characters;
}

/// A key, the number of a type, and the bytes of a value.
inline std::string metadata(const std::string& key, std::uint32_t type, const std::string& bytes) {
  return text(key) + u32(type) + bytes;
}
/// An array: the number of its elements' type, their count, and their bytes.
inline std::string array(const std::string& key, std::uint32_t type, std::uint64_t count,
                         const std::string& bytes) {
  return metadata(key, 9, u32(type) + u64(count) + bytes);
}
/// What the header says of a tensor. The dimensions are in the file's order.
inline std::string tensor(const std::string& name, const std::vector<std::uint64_t>& dimensions,
                          std::uint32_t type, std::uint64_t offset) {
  std::string bytes = text(name) + u32(static_cast<std::uint32_t>(dimensions.size()));
  for (const std::uint64_t extent : dimensions) bytes += u64(extent);
  return bytes + u32(type) + u64(offset);
}

/// A file of these metadata and tensors, whose data are so many bytes of 1 after the padding.
struct File {
  std::vector<std::string> metadata{}, tensors{};
  std::size_t data = 0, alignment = 32;
  std::uint32_t version = 3;

  std::string bytes() const {
    std::string result = "GGUF" + u32(version) + u64(tensors.size()) + u64(metadata.size());
    for (const std::string& part : metadata) result += part;
    for (const std::string& part : tensors) result += part;
    if (data > 0) result.append((alignment - result.size() % alignment) % alignment, '\0');
    return result + std::string(data, '\1');
  }
};

}  // namespace gguf
