#pragma once

#include <utf8proc.h>

#include <algorithm>
#include <attn/files/utf8.hpp>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What the patterns of pre-tokenizers distinguish: \p{L}, \p{N}, \s and everything else.
enum class CharacterKind : std::uint8_t { other, letter, number, space };

/// A character of well-formed UTF-8: its code point, the number of its bytes, and its kind.
struct Character {
  char32_t value = 0;
  std::size_t length = 0;
  CharacterKind kind = CharacterKind::other;
};

struct CodePointRange {
  char32_t first, last;
};

// Code points that Unicode 15.1 and 16.0 assigned. utf8proc 2.8 has the data of Unicode 15.0 and
// tokenizers 0.23 those of 16.0, so that these have the kind that tokenizers gives them. A newer
// utf8proc knows them itself.
inline constexpr CodePointRange later_letters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
    {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x13460, 0x143FA},
    {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
inline constexpr CodePointRange later_numbers[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};
/// Numbers of Unicode 17.0, which tokenizers knows where it separates digits, and only there.
inline constexpr CodePointRange latest_numbers[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

template <std::size_t N>
bool is_in(const CodePointRange (&ranges)[N], char32_t c) {
  const auto* const after = std::upper_bound(
      ranges, ranges + N, c,
      [](char32_t point, const CodePointRange& range) { return point < range.first; });
  return after != ranges && c <= std::prev(after)->last;
}

/// The general category of a code point   [Unicode §4.5]
inline utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

/// White_Space   [Unicode, PropList]
inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  if (c == 0x85) return true;
  const utf8proc_category_t of = category(c);
  return of >= UTF8PROC_CATEGORY_ZS && of <= UTF8PROC_CATEGORY_ZP;
}

inline CharacterKind kind(char32_t c) {
  if (c < 0x80) {
    const char32_t lower = c | 0x20;
    if (lower >= 'a' && lower <= 'z') return CharacterKind::letter;
    if (c >= '0' && c <= '9') return CharacterKind::number;
    return is_space(c) ? CharacterKind::space : CharacterKind::other;
  }
  const utf8proc_category_t of = category(c);
  if (of >= UTF8PROC_CATEGORY_LU && of <= UTF8PROC_CATEGORY_LO) return CharacterKind::letter;
  if (of >= UTF8PROC_CATEGORY_ND && of <= UTF8PROC_CATEGORY_NO) return CharacterKind::number;
  if (is_space(c)) return CharacterKind::space;
  if (of != UTF8PROC_CATEGORY_CN) return CharacterKind::other;
  if (is_in(later_letters, c)) return CharacterKind::letter;
  return is_in(later_numbers, c) ? CharacterKind::number : CharacterKind::other;
}

/// Whether a code point is of category N, by itself a word under `EachDigit`.
inline bool is_numeric(char32_t c) {
  return kind(c) == CharacterKind::number || is_in(latest_numbers, c);
}

/// \w of the crate regex: letters, marks, decimal digits, connectors, joiners and the letter-like
/// numbers and symbols   [Unicode UTS18 Annex C]
inline bool is_word_character(char32_t c) {
  constexpr CodePointRange alphabetic_symbols[] = {
      {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  const utf8proc_category_t of = category(c);
  return kind(c) == CharacterKind::letter ||
         (of >= UTF8PROC_CATEGORY_MN && of <= UTF8PROC_CATEGORY_NL) || of == UTF8PROC_CATEGORY_PC ||
         c == 0x200C || c == 0x200D || is_in(alphabetic_symbols, c);
}

/// The first character of a text, which is not empty and well-formed UTF-8.
inline Character first_character(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text.front());
  if (byte < 0x80) return {byte, 1, kind(byte)};
  const CodePoint point = first_code_point(text);
  return {point.value, point.length, kind(point.value)};
}

/// The last character of such a text.
inline Character last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u) --at;
  return first_character(text.substr(at));
}

/// The bytes of the characters at the beginning of a text for which `accept` holds.
template <class Accept>
std::size_t run_length(std::string_view text, const Accept& accept) {
  std::size_t length = 0;
  while (length < text.size()) {
    const Character next = first_character(text.substr(length));
    if (!accept(next)) break;
    length += next.length;
  }
  return length;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
