#pragma once

#include <attn/files/utf8.hpp>
#include <stdexcept>
#include <string>
#include <vector>

/// The words of a sentence, which are its parts between spaces.
/// Errors: std::invalid_argument, one sentence, if it is not UTF-8 or does not have 1 to 60 words.
inline std::vector<std::string> words_of(const std::string& sentence) {
  if (!attn::is_utf8(sentence))
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
