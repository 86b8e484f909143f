#pragma once

#include <attn/core/config.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// The code points of UTF-8 text. What is not UTF-8 (a stray byte, an overlong form, a surrogate)
/// reads as U+FFFD.
inline std::u32string decode_utf8(std::string_view text) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) {
      return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const unsigned lead = byte(at);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    char32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    bool good = length > 0;
    for (std::size_t i = 1; good && i < length; ++i) {
      good = (byte(at + i) & 0xc0u) == 0x80u;
      point = (point << 6) | (byte(at + i) & 0x3fu);
    }
    good = good && (length < 3 || point >= 0x800) &&
           (length < 4 || (point >= 0x10000 && point < 0x110000)) &&
           (point < 0xd800 || point > 0xdfff);
    points += good ? point : U'\ufffd';
    at += good ? length : 1;
  }
  return points;
}

/// The other way.
inline std::string encode_utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t point : points) {
    const auto tail = [&](int shift) {
      text += static_cast<char>(0x80u | ((point >> shift) & 0x3fu));
    };
    if (point < 0x80) text += static_cast<char>(point);
    else if (point < 0x800) text += static_cast<char>(0xc0u | (point >> 6)), tail(0);
    else if (point < 0x10000) text += static_cast<char>(0xe0u | (point >> 12)), tail(6), tail(0);
    else text += static_cast<char>(0xf0u | (point >> 18)), tail(12), tail(6), tail(0);
  }
  return text;
}

/// One code point in plain ASCII, as well as that can be: é is e, ß is ss, “ is ", and what has no
/// such form is ?.
inline std::string_view to_ascii(char32_t point) {
  static constexpr std::string_view ascii =
      " !\"#$%&'()*+,-./"
      "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
  static constexpr std::string_view latin =  // U+00C0 to U+017F
      "AAAAAA?CEEEEIIIIDNOOOOOxOUUUUY??aaaaaa?ceeeeiiiidnooooo/"
      "ouuuuy?yAaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKkk"
      "LlLlLlLlLlNnNnNn?NnOoOoOo??RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";
  switch (point) {
    case U'Æ': return "AE";
    case U'æ': return "ae";
    case U'Œ': return "OE";
    case U'œ': return "oe";
    case U'ß': return "ss";
    case U'Þ': return "Th";
    case U'þ': return "th";
    case U'…': return "...";
    case U'‘':
    case U'’':
    case U'‚':
    case U'′': return "'";
    case U'“':
    case U'”':
    case U'„':
    case U'″':
    case U'«':
    case U'»': return "\"";
    case U'‐':
    case U'‑':
    case U'–':
    case U'—':
    case U'−': return "-";
    case U'▁': return "_";
    case U'·':
    case U'•': return "*";
    case U'¡': return "!";
    case U'¿': return "?";
    case U'\u00a0': return " ";
    default: break;
  }
  if (point >= 0x20 && point < 0x7f) return ascii.substr(point - 0x20, 1);
  if (point >= 0xc0 && point < 0x180) return latin.substr(point - 0xc0, 1);
  if (point >= 0x300 && point < 0x370) return "";  // accents that stand after their letter
  return "?";
}

/// Takes no room in a line of text: joiners, direction marks, variation selectors.
inline bool is_invisible(char32_t point) {
  return (point >= 0x200b && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x2064) || (point >= 0xfe00 && point <= 0xfe0f) ||
         point == 0xfeff;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
