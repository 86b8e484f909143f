#pragma once

#include <attn/text/unicode.hpp>
#include <span>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Splits a text into words, which the model then encodes one by one: as the tokenizer of GPT-2
/// does   [Radford19 §2.2]
/// '(?:s|t|m|d|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct Gpt2Words {};

/// As the tokenizers of Llama 3 and of Qwen2, in which a number has at most so many digits:
/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max_digits}|
///  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
struct LlamaWords {
  std::size_t max_digits = 3;
};

/// Each digit is a word, and so is what stands between digits.
struct EachDigit {};

/// Each run of digits is a word, and so is what stands between them.
struct DigitRuns {};

/// As BERT: words are separated by spaces, and each punctuation mark is a word.
struct BertWords {};

using PreTokenizer = std::variant<Gpt2Words, LlamaWords, EachDigit, DigitRuns, BertWords>;

namespace detail {

/// The bytes of an apostrophe and what follows it in English, as in it's; 0 if there is none.
inline std::size_t contraction_length(std::string_view text, bool ignores_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  if (ignores_case && text.substr(1).starts_with("\xC5\xBF")) return 3;  // ſ is an s
  const auto letter = [&](std::size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return ignores_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  const char first = letter(1);
  const char second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const bool is_one = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                      (first == 'l' && second == 'l');
  return is_one ? 3 : 0;
}

inline std::size_t run_of(CharacterKind kind, std::string_view text) {
  return run_length(text, [&](const Character& next) { return next.kind == kind; });
}

/// \s+(?!\S)|\s+ of a text that begins with `length` bytes of spaces: without the last space if
/// something follows, which it then belongs to.
inline std::size_t spaces_before_word(std::string_view text, std::size_t length) {
  if (length == text.size()) return length;
  const std::size_t last = last_character(text.substr(0, length)).length;
  return last < length ? length - last : length;
}

/// The bytes of the first word of a text, which is not empty.
inline std::size_t first_word(const Gpt2Words&, std::string_view text) {
  if (const std::size_t length = contraction_length(text, false); length > 0) return length;
  const std::size_t space = text[0] == ' ' && text.size() > 1 ? 1 : 0;
  const CharacterKind kind = first_character(text.substr(space)).kind;
  if (kind != CharacterKind::space) return space + run_of(kind, text.substr(space));
  return spaces_before_word(text, run_of(CharacterKind::space, text));
}

/// The bytes of \s*[\r\n]+ in `spaces`; 0 if they have no line break.
inline std::size_t through_line_break(std::string_view spaces) {
  const std::size_t last = spaces.find_last_of("\r\n");
  return last == spaces.npos ? 0 : last + 1;
}

inline std::size_t first_word(const LlamaWords& how, std::string_view text) {
  if (const std::size_t length = contraction_length(text, true); length > 0) return length;
  const Character first = first_character(text);
  const auto line_break = [](const Character& next) {
    return next.value == '\r' || next.value == '\n';
  };
  if (first.kind == CharacterKind::letter) return run_of(CharacterKind::letter, text);
  if (first.kind == CharacterKind::number) {
    std::size_t count = 0;
    return run_length(text, [&](const Character& next) {
      return next.kind == CharacterKind::number && count++ < how.max_digits;
    });
  }
  if (!line_break(first)) {
    const std::size_t letters = run_of(CharacterKind::letter, text.substr(first.length));
    if (letters > 0) return first.length + letters;
  }
  const std::size_t space = text[0] == ' ' ? 1 : 0;
  if (const std::size_t others = run_of(CharacterKind::other, text.substr(space)); others > 0) {
    const std::size_t end = space + others;
    return end + run_length(text.substr(end), line_break);
  }
  const std::size_t spaces = run_of(CharacterKind::space, text);
  if (const std::size_t length = through_line_break(text.substr(0, spaces)); length > 0)
    return length;
  return spaces_before_word(text, spaces);
}

inline std::size_t first_word(const EachDigit&, std::string_view text) {
  const Character first = first_character(text);
  if (is_numeric(first.value)) return first.length;
  return run_length(text, [](const Character& next) { return !is_numeric(next.value); });
}

inline std::size_t first_word(const DigitRuns&, std::string_view text) {
  const bool is_number = is_numeric(first_character(text).value);
  return run_length(text,
                    [&](const Character& next) { return is_numeric(next.value) == is_number; });
}

/// A space is a word, too, which words_of leaves out.
inline std::size_t first_word(const BertWords&, std::string_view text) {
  const auto is_alone = [](const Character& next) {
    const char32_t c = next.value;
    const bool is_ascii_mark = c < 0x80 && c > ' ' && c != 0x7F && kind(c) == CharacterKind::other;
    const utf8proc_category_t of = category(c);
    return next.kind == CharacterKind::space || is_ascii_mark ||
           (of >= UTF8PROC_CATEGORY_PC && of <= UTF8PROC_CATEGORY_PO);
  };
  const Character first = first_character(text);
  if (is_alone(first)) return first.length;
  return run_length(text, [&](const Character& next) { return !is_alone(next); });
}

/// Whether a piece is passed on to the model.
template <class How>
bool is_word(const How&, std::string_view) {
  return true;
}
inline bool is_word(const BertWords&, std::string_view piece) {
  return first_character(piece).kind != CharacterKind::space;
}

/// Calls `use` with each word of a well-formed text, split by each pre-tokenizer in turn.
template <class Use>
void for_each_word(std::span<const PreTokenizer> steps, std::string_view text, const Use& use) {
  if (steps.empty()) {
    if (!text.empty()) use(text);
    return;
  }
  std::visit(
      [&](const auto& how) {
        while (!text.empty()) {
          const std::string_view piece = text.substr(0, first_word(how, text));
          if (is_word(how, piece)) for_each_word(steps.subspan(1), piece, use);
          text.remove_prefix(piece.size());
        }
      },
      steps.front());
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
