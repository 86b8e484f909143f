#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

/// True if the bytes are well-formed UTF-8 (RFC 3629): no stray or missing continuation, no
/// overlong form, no surrogate.
inline bool is_utf8(const std::string& text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0) return false;
    std::uint32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0u) != 0x80u) return false;
      code = code << 6 | (byte(i + k) & 0x3Fu);
    }
    if ((length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10FFFF)) ||
        (code >= 0xD800 && code <= 0xDFFF))
      return false;
    i += length;
  }
  return true;
}

/// The words of a sentence, 1 to 60, which are its parts between spaces. Throws
/// std::invalid_argument with one sentence.
inline std::vector<std::string> words_of(const std::string& sentence) {
  if (!is_utf8(sentence))
    throw std::invalid_argument(
        "the sentence has bytes that are not UTF-8; it must be text in UTF-8");
  std::vector<std::string> words;
  std::string word;
  for (const char c : sentence + ' ') {
    const auto code = static_cast<unsigned char>(c);
    if (code > ' ' && code != 0x7F) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  if (words.empty())
    throw std::invalid_argument("the sentence is empty; it must have 1 to 60 words");
  if (words.size() > 60)
    throw std::invalid_argument("the sentence has " + std::to_string(words.size()) +
                                " words; it must have 1 to 60");
  return words;
}
