#pragma once

#include <array>
#include <attn/files/utf8.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// GPT-2's alphabet: a printable character for each byte, so that tokens, which are bytes, can be
/// written as text. The bytes 21–7E, A1–AC and AE–FF are the characters with these code points, and
/// the others, in ascending order, those from U+0100 on; a space is Ġ.   [Radford19 §2.2]
inline constexpr std::array<char32_t, 256> byte_alphabet = [] {
  std::array<char32_t, 256> points{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool is_printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    points[byte] = is_printable ? byte : next++;
  }
  return points;
}();

/// The inverse, for the code points below U+0144, where the alphabet ends; −1 for those that stand
/// for no byte.
inline constexpr std::array<int, 0x144> alphabet_bytes = [] {
  std::array<int, 0x144> bytes{};
  bytes.fill(-1);
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes[byte_alphabet[byte]] = static_cast<int>(byte);
  return bytes;
}();

/// Bytes as text in the alphabet.
inline std::string to_alphabet(std::string_view bytes) {
  std::u32string points;
  for (const char byte : bytes) points += byte_alphabet[static_cast<unsigned char>(byte)];
  return encode_utf8(points);
}

/// The bytes for which a text stands; a text with a character outside of the alphabet stands for
/// itself.
inline std::string from_alphabet(const std::string& text) {
  std::string bytes;
  for (const char32_t point : decode_utf8(text)) {
    if (point >= alphabet_bytes.size() || alphabet_bytes[point] < 0) return text;
    bytes += static_cast<char>(alphabet_bytes[point]);
  }
  return bytes;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
