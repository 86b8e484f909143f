#pragma once

#include <attn/core/config.hpp>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

/// The nearest plain ASCII of a code point: é becomes e, ß becomes ss, “ becomes ", and a code
/// point without such a form becomes ?.
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
  if (point >= 0x300 && point < 0x370) return "";  // combining accents
  return "?";
}

/// Whether a code point has no width in a line of text: joiners, direction marks, variation
/// selectors.
inline bool is_invisible(char32_t point) {
  return (point >= 0x200b && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x2064) || (point >= 0xfe00 && point <= 0xfe0f) ||
         point == 0xfeff;
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
