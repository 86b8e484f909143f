#pragma once

#include <attn/text/added_tokens.hpp>
#include <attn/text/byte_level_bpe.hpp>
#include <attn/text/normalizer.hpp>
#include <attn/text/pre_tokenizer.hpp>
#include <attn/text/word_piece.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Everything that makes a tokenizer, whatever file it comes from. In the order in which a text
/// passes through it: added tokens, normalizers, pre-tokenizers, model, prefix and suffix.
struct TokenizerDescription {
  std::vector<std::string> tokens{};  // by id; a byte-level model's in GPT-2's byte alphabet
  std::vector<AddedToken> added_tokens{};
  std::vector<Normalizer> normalizers{};
  bool add_prefix_space = false;  // a text that does not begin with a space gets one
  std::vector<PreTokenizer> pre_tokenizers{};
  std::variant<BytePairs, WordPieces> model{};
  std::vector<Index> prefix{}, suffix{};  // what `add_special_tokens` adds to a text
  std::optional<Index> begin{}, end{};    // the tokens of the beginning and the end of a sequence
};

namespace detail {

/// A description of `size` tokens, if every id that it names is that of a token.
/// Errors: FileError, a sentence that begins with `where`.
inline const TokenizerDescription& checked(const TokenizerDescription& description,
                                           std::size_t size, const std::string& where) {
  const auto check = [&](const std::string& what, Index id) {
    if (id < 0 || static_cast<std::size_t>(id) >= size)
      throw FileError(where + ": " + what + " is " + std::to_string(id) +
                      " and must be an id of the vocabulary, which has " + std::to_string(size) +
                      " tokens");
  };
  for (const AddedToken& token : description.added_tokens) check("an added token", token.id);
  for (const Index id : description.prefix) check("a token before each text", id);
  for (const Index id : description.suffix) check("a token after each text", id);
  if (description.begin) check("the beginning-of-sequence token", *description.begin);
  if (description.end) check("the end-of-sequence token", *description.end);
  return description;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
