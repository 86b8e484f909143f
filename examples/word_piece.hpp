#pragma once

#include <algorithm>
#include <attn/core/error.hpp>
#include <attn/core/shape.hpp>
#include <attn/files/utf8.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unicode_tables.hpp"

namespace unicode {

/// The last entry of a table, sorted by `first`, that does not begin after the code point; the end
/// of the table if all begin after it.
template <class Entry, std::size_t N>
const Entry* entry_at(const Entry (&table)[N], char32_t c) {
  const Entry* const after = std::upper_bound(
      table, table + N, c, [](char32_t point, const Entry& entry) { return point < entry.first; });
  return after == table ? table + N : after - 1;
}

template <std::size_t N>
bool is_in(const CodePoints (&table)[N], char32_t c) {
  const CodePoints* const at = entry_at(table, c);
  return at != table + N && c <= at->last;
}

/// The letters that BERT reads for a code point: its canonical decomposition (NFD) in lower case
/// and without accents. Decomposed letters are not put into canonical order. That matters only for
/// several marks on one letter that are not accents (not of category Mn).
inline std::u32string folded(char32_t c) {
  if (is_in(dropped, c)) return {};
  // Hangul: leading consonant, vowel, trailing consonant   [Unicode §3.12]
  if (c >= 0xAC00 && c <= 0xD7A3) {
    const char32_t syllable = c - 0xAC00, trailing = syllable % 28;
    std::u32string parts{0x1100 + syllable / (21 * 28), 0x1161 + syllable / 28 % 21};
    if (trailing > 0) parts += 0x11A7 + trailing;
    return parts;
  }
  if (const Letters* const at = entry_at(expansions, c);
      at != std::end(expansions) && c == at->first)
    return std::u32string(at->become);
  if (const Letters* const at = entry_at(letters, c);
      at != std::end(letters) && c - at->first < at->become.size())
    return {at->become[c - at->first]};
  return {c};
}

}  // namespace unicode

/// The words of a text as BERT's uncased models read them: folded and split at spaces. Each
/// punctuation mark and each ideograph is a word.
inline std::vector<std::u32string> bert_words(std::u32string_view text) {
  std::vector<std::u32string> words(1);
  const auto end_word = [&] {
    if (!words.back().empty()) words.emplace_back();
  };
  for (const char32_t c : text) {
    const bool alone = unicode::is_in(unicode::ideographs, c);
    if (alone || unicode::is_in(unicode::spaces, c)) end_word();
    if (unicode::is_in(unicode::spaces, c)) continue;
    for (const char32_t letter : unicode::folded(c)) {
      const bool mark = unicode::is_in(unicode::punctuation, letter);
      if (mark) end_word();
      words.back() += letter;
      if (mark) end_word();
    }
    if (alone) end_word();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

/// BERT's uncased tokenizer, with the same result as Hugging Face's: it converts a text to ids of
/// word pieces   [Wu16 §4.1]
/// From its beginning on, a word is split into the longest pieces of the vocabulary; the pieces
/// after the first have the form ##piece. A word that cannot be split, or has more than 100
/// letters, is [UNK].
/// Errors: FileError, a sentence that begins with `where`, if the vocabulary has no [UNK], [CLS] or
/// [SEP].
class WordPiece {
 public:
  /// `vocabulary[id]` is the piece of that id.
  explicit WordPiece(std::vector<std::string> vocabulary,
                     const std::string& where = "WordPiece: the vocabulary")
      : pieces_(std::move(vocabulary)) {
    for (std::size_t i = 0; i < pieces_.size(); ++i) ids_[pieces_[i]] = static_cast<attn::Index>(i);
    for (const char* name : {"[UNK]", "[CLS]", "[SEP]"})
      if (!ids_.contains(name)) throw attn::FileError(where + " must have the piece " + name);
  }

  const std::string& piece(attn::Index id) const {
    return pieces_.at(static_cast<std::size_t>(id));
  }

  /// The ids of [CLS], the pieces of a text in UTF-8, and [SEP]. If they are more than `longest`,
  /// the last pieces are left out. Special tokens in the text, such as [MASK], are kept.
  std::vector<attn::Index> operator()(std::string_view text, std::size_t longest = 256) const {
    std::vector<attn::Index> ids{id("[CLS]")};
    while (!text.empty()) {
      const auto [at, special] = first_special(text);
      for (const std::u32string& word : bert_words(attn::decode_utf8(text.substr(0, at))))
        for (const attn::Index piece : pieces_of(word)) ids.push_back(piece);
      if (!special.empty()) ids.push_back(id(special));
      text.remove_prefix(at + special.size());
    }
    ids.resize(std::min(ids.size(), longest - 1));
    ids.push_back(id("[SEP]"));
    return ids;
  }

 private:
  attn::Index id(std::string_view piece) const { return ids_.find(piece)->second; }

  /// The position of the first special token of the text, and the token; the end of the text and ""
  /// if there is none.
  std::pair<std::size_t, std::string_view> first_special(std::string_view text) const {
    std::pair<std::size_t, std::string_view> first{text.size(), ""};
    for (const std::string_view name : {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"})
      if (const std::size_t at = text.find(name); at < first.first && ids_.contains(name))
        first = {at, name};
    return first;
  }

  std::vector<attn::Index> pieces_of(std::u32string_view word) const {
    const std::vector<attn::Index> unknown{id("[UNK]")};
    if (word.size() > 100) return unknown;
    std::vector<attn::Index> ids;
    while (!word.empty()) {
      const std::string prefix = ids.empty() ? "" : "##";
      std::size_t length = word.size() + 1;
      auto longest = ids_.end();
      while (longest == ids_.end() && --length > 0)
        longest = ids_.find(prefix + attn::encode_utf8(word.substr(0, length)));
      if (longest == ids_.end()) return unknown;
      ids.push_back(longest->second);
      word.remove_prefix(length);
    }
    return ids;
  }

  std::vector<std::string> pieces_;
  std::map<std::string, attn::Index, std::less<>> ids_;
};

/// The tokenizer whose vocabulary a file lists, one piece per line: vocab.txt.
/// Errors: FileError if the file cannot be read, or lacks a piece that WordPiece needs.
inline WordPiece load_word_piece(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw attn::FileError("load_word_piece: cannot read \"" + path.string() + "\"");
  std::vector<std::string> vocabulary;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    vocabulary.push_back(line);
  }
  return WordPiece(std::move(vocabulary), "load_word_piece: \"" + path.string() + '"');
}
