#pragma once

#include <attn/text/unicode.hpp>
#include <attn/text/vocabulary.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What a file says of word pieces, besides the tokens.
struct WordPieces {
  std::string unknown = "[UNK]";         // the token of a word that cannot be split
  std::string continuing_prefix = "##";  // how a piece begins that is not the first of a word
  std::size_t max_characters = 100;      // a longer word is unknown
  bool cleans_up = true;                 // decoding removes the space before punctuation
};

namespace detail {

/// Splits a word into the longest pieces of the vocabulary, from its beginning on.   [Wu16 §4.1]
/// Errors: FileError, a sentence that begins with `where`, if the vocabulary lacks the token of
/// unknown words.
class WordPiece {
 public:
  WordPiece(WordPieces options, const Vocabulary& vocabulary, const std::string& where)
      : options_(std::move(options)) {
    const auto unknown = vocabulary.id(options_.unknown);
    if (!unknown)
      throw FileError(where + ": the vocabulary lacks the token of unknown words, " +
                      in_quotes(options_.unknown));
    unknown_ = *unknown;
  }

  /// Appends the ids of a word in well-formed UTF-8.
  void encode(std::string_view word, const Vocabulary& vocabulary, std::vector<Index>& ids) const {
    const std::size_t before = ids.size();
    if (is_too_long(word) || !append_pieces(word, vocabulary, ids)) {
      ids.resize(before);
      ids.push_back(unknown_);
    }
  }

  /// The text of a token: with a space before it unless it continues a word or is the first.
  std::string decode(const std::string& token, bool is_first) const {
    std::string text = token;
    if (!is_first && token.starts_with(options_.continuing_prefix))
      text = token.substr(options_.continuing_prefix.size());
    else if (!is_first) text = " " + token;
    return options_.cleans_up ? cleaned_up(std::move(text)) : text;
  }

 private:
  bool is_too_long(std::string_view word) const {
    std::size_t count = 0;
    for (const char byte : word) count += (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u;
    return count > options_.max_characters;
  }

  /// False if the rest of the word begins with no piece.
  bool append_pieces(std::string_view word, const Vocabulary& vocabulary,
                     std::vector<Index>& ids) const {
    std::string piece;
    while (!word.empty()) {
      const std::size_t prefix = piece.size();
      piece += word;
      std::optional<Index> id = vocabulary.id(piece);
      while (!id && piece.size() > prefix) {
        piece.resize(piece.size() - last_character(piece).length);
        if (piece.size() > prefix) id = vocabulary.id(piece);
      }
      if (!id) return false;
      ids.push_back(*id);
      word.remove_prefix(piece.size() - prefix);
      piece = options_.continuing_prefix;
    }
    return true;
  }

  /// The replacements of tokenizers, in its order.
  static std::string cleaned_up(std::string text) {
    constexpr std::pair<std::string_view, std::string_view> replacements[] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : replacements)
      for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
  }

  WordPieces options_;
  Index unknown_ = 0;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
