#pragma once

#include <attn/text/unicode.hpp>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Changes a text, in well-formed UTF-8, before it is split into words: one of Unicode's
/// normalization forms   [Unicode UAX15]
enum class NormalizationForm { nfc, nfd, nfkc, nfkd };

/// Lower case, character by character.
struct Lowercase {};

/// What BERT does to a text   [Devlin19]
struct BertNormalizer {
  bool clean_text = true;            // control characters are removed, and all spaces become ' '
  bool handle_chinese_chars = true;  // each ideograph is a word
  bool strip_accents = true;         // by NFD, without nonspacing marks
  bool lowercase = true;
};

using Normalizer = std::variant<NormalizationForm, Lowercase, BertNormalizer>;

namespace detail {

inline bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

inline std::string normalized(NormalizationForm form, std::string text) {
  if (is_ascii(text)) return text;
  const bool composes = form == NormalizationForm::nfc || form == NormalizationForm::nfkc;
  const bool is_compatible = form == NormalizationForm::nfkc || form == NormalizationForm::nfkd;
  const int options = UTF8PROC_STABLE | (composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                      (is_compatible ? UTF8PROC_COMPAT : 0);
  utf8proc_uint8_t* bytes = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &bytes,
                                 static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  if (size < 0) throw std::bad_alloc();  // well-formed text has no other reason to fail
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

/// A text with each code point replaced by those that `change` appends to a std::u32string.
template <class Change>
std::string changed(const std::string& text, const Change& change) {
  std::u32string points;
  for (const char32_t point : decode_utf8(text)) change(point, points);
  return encode_utf8(points);
}

inline std::string normalized(const Lowercase&, const std::string& text) {
  return changed(text, [](char32_t c, std::u32string& points) {
    if (c == 0x130) points += U"i\u0307";  // the only letter whose lower case has two code points
    else points += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  });
}

/// Without control and format characters and private use; all spaces become ' '.
inline std::string clean(const std::string& text) {
  return changed(text, [](char32_t c, std::u32string& points) {
    const utf8proc_category_t of = category(c);
    const bool breaks_line = c == '\t' || c == '\n' || c == '\r';
    const bool is_control = of >= UTF8PROC_CATEGORY_CC && !breaks_line;
    if (is_control || c == 0xFFFD) return;
    points += is_space(c) ? U' ' : c;
  });
}

inline std::string with_spaces_around_ideographs(const std::string& text) {
  constexpr CodePointRange ideographs[] = {
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
      {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  return changed(text, [&](char32_t c, std::u32string& points) {
    if (is_in(ideographs, c)) points.append({U' ', c, U' '});
    else points += c;
  });
}

inline std::string without_accents(const std::string& text) {
  return changed(normalized(NormalizationForm::nfd, text), [](char32_t c, std::u32string& points) {
    if (category(c) != UTF8PROC_CATEGORY_MN) points += c;
  });
}

inline std::string normalized(const BertNormalizer& how, std::string text) {
  if (how.clean_text) text = clean(text);
  if (how.handle_chinese_chars) text = with_spaces_around_ideographs(text);
  if (how.strip_accents) text = without_accents(text);
  if (how.lowercase) text = normalized(Lowercase{}, text);
  return text;
}

inline std::string normalized(const std::vector<Normalizer>& normalizers, std::string text) {
  for (const Normalizer& normalizer : normalizers)
    text =
        std::visit([&](const auto& how) { return normalized(how, std::move(text)); }, normalizer);
  return text;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
