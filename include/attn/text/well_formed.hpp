#pragma once

#include <attn/files/utf8.hpp>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The number of bytes at the beginning of a text that begin a character of UTF-8, which then
/// breaks off; 1 if not even the first byte begins one.   [Unicode §3.9, Table 3-7]
inline std::size_t broken_length(std::string_view text) {
  const auto is_between = [&](std::size_t i, unsigned low, unsigned high) {
    const unsigned byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    return byte >= low && byte <= high;
  };
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0xC2 || lead > 0xF4) return 1;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (lead < 0xE0 || !is_between(1, low, high)) return 1;
  return lead >= 0xF0 && is_between(2, 0x80, 0xBF) ? 3 : 2;
}

/// Appends bytes to a text so that it is well-formed UTF-8: each broken character becomes one
/// U+FFFD, as in Rust's from_utf8_lossy and Python's errors="replace". Returns the number of bytes
/// that were read; it leaves those at the end that more bytes may complete to a character.
inline std::size_t append_well_formed(std::string& text, std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::string_view rest = bytes.substr(at);
    if (const std::size_t length = first_code_point(rest).length; length > 0) {
      text.append(rest.substr(0, length));
      at += length;
      continue;
    }
    const std::size_t broken = broken_length(rest);
    const auto lead = static_cast<unsigned char>(rest.front());
    if (broken == rest.size() && lead >= 0xC2 && lead <= 0xF4) break;
    text.append("\xEF\xBF\xBD");
    at += broken;
  }
  return at;
}

/// The bytes as well-formed UTF-8.
inline std::string well_formed(std::string_view bytes) {
  std::string text;
  const std::size_t read = append_well_formed(text, bytes);
  return read < bytes.size() ? text + "\xEF\xBF\xBD" : text;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
