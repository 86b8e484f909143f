#pragma once

#include <attn/files/mapped_file.hpp>
#include <attn/text/tokenizer.hpp>
#include <filesystem>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// BERT's uncased tokenizer of these pieces   [Devlin19 §3]
/// Errors: FileError, a sentence that begins with `where`, if [UNK], [CLS] or [SEP] is missing.
inline TokenizerDescription uncased_bert(std::vector<std::string> pieces,
                                         const std::string& where) {
  TokenizerDescription description;
  const auto id = [&](const std::string& piece) -> std::optional<Index> {
    const auto at = std::find(pieces.begin(), pieces.end(), piece);
    return at == pieces.end() ? std::nullopt : std::optional<Index>(at - pieces.begin());
  };
  for (const char* name : {"[UNK]", "[CLS]", "[SEP]"})
    if (!id(name)) throw FileError(where + " must have the piece " + name);
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (const auto token = id(name)) description.added_tokens.push_back({.id = *token});
  description.prefix = {*id("[CLS]")};
  description.suffix = {*id("[SEP]")};
  description.tokens = std::move(pieces);
  description.normalizers = {BertNormalizer{}};
  description.pre_tokenizers = {BertWords{}};
  description.model = WordPieces{};
  return description;
}

}  // namespace detail

/// The tokenizer of an uncased BERT whose pieces a vocab.txt lists, one in each line. A
/// tokenizer.json also says how the model's text is normalized: `load_tokenizer` reads it.
/// Errors: FileError if the file cannot be read, or lacks a piece that the tokenizer needs.
inline Tokenizer load_word_piece(const std::filesystem::path& path) {
  const std::string where = "load_word_piece: \"" + path.string() + "\"";
  const MappedFile file(path, "load_word_piece");
  std::string_view text = detail::text_of(file.bytes());
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    pieces.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return Tokenizer(detail::uncased_bert(std::move(pieces), where), where);
}

}  // namespace ATTN_ABI
}  // namespace attn
