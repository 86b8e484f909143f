#pragma once

#include <attn/core/config.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A code point and the number of its bytes in UTF-8; 0 bytes stand for text that is not UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};

/// The code point with which a text that is not empty begins   [RFC 3629 §3]
/// Refused are a stray or missing continuation byte, an overlong form and a surrogate.
inline CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  char32_t value = length == 1 ? lead : lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  const bool is_overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
  if (is_overlong || is_surrogate || value > 0x10ffff) return {};
  return {value, length};
}

}  // namespace detail

/// Whether a text is well-formed UTF-8   [RFC 3629]
inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = detail::first_code_point(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// The code points of a text. Each byte that is not part of well-formed UTF-8 reads as U+FFFD.
inline std::u32string decode_utf8(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    const auto [value, length] = detail::first_code_point(text);
    points += length > 0 ? value : U'\ufffd';
    text.remove_prefix(length > 0 ? length : 1);
  }
  return points;
}

/// The text of code points, in UTF-8.
inline std::string encode_utf8(std::u32string_view points) {
  constexpr char32_t lead[] = {0x00, 0xc0, 0xe0, 0xf0};  // by the number of continuation bytes
  std::string text;
  for (const char32_t point : points) {
    const int continuations = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    text += static_cast<char>(lead[continuations] | (point >> (6 * continuations)));
    for (int i = continuations - 1; i >= 0; --i)
      text += static_cast<char>(0x80u | ((point >> (6 * i)) & 0x3fu));
  }
  return text;
}

}  // namespace ATTN_ABI
}  // namespace attn
