#pragma once

#include <attn/text/tokenizer_description.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What a GGUF file says of its tokenizer, by the keys `tokenizer.ggml.…`.
struct GgufTokenizer {
  std::string model{}, pre{};
  std::vector<std::string> tokens{}, merges{};
  std::vector<Index> token_type{};  // one for each token, or none at all
  std::optional<Index> bos_token_id{}, eos_token_id{};
  std::optional<bool> add_bos_token{}, add_eos_token{};
  bool add_space_prefix = false;
};

inline void expect_gguf_model(const std::string& model, const std::string& where) {
  if (model != "gpt2")
    throw FileError(where + ": tokenizer.ggml.model is " + in_quotes(model) +
                    ", which is not supported; only gpt2 is, a byte-level BPE");
}

/// How a pre-tokenizer's name in GGUF is spelled out   [llama.cpp, llama_vocab::impl::load]
/// NFC belongs to Qwen2's tokenizer, though llama.cpp leaves it out.
inline void set_pre_tokenizer(const std::string& pre, TokenizerDescription& description,
                              const std::string& where) {
  std::vector<PreTokenizer>& steps = description.pre_tokenizers;
  if (pre == "gpt-2") {
    steps = {Gpt2Words{}};
  } else if (pre == "smollm") {
    steps = {EachDigit{}, Gpt2Words{}};
  } else if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3") {
    steps = {LlamaWords{.max_digits = 3}};
  } else if (pre == "qwen2") {
    steps = {LlamaWords{.max_digits = 1}};
    description.normalizers = {NormalizationForm::nfc};
  } else {
    throw FileError(where + ": tokenizer.ggml.pre is " + in_quotes(pre) +
                    ", which is not supported; these are: gpt-2, smollm, llama-bpe, qwen2");
  }
}

/// Tokens of the types control (3) and unknown (2) are special, those defined by the user (4) are
/// added tokens; the others, normal (1) and unused (5), are never found in a text as they are.
inline std::vector<AddedToken> added_tokens_of(const std::vector<Index>& types,
                                               const std::string& where) {
  std::vector<AddedToken> added;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Index type = types[i];
    if (type < 1 || type > 5)
      throw FileError(where + ": tokenizer.ggml.token_type[" + std::to_string(i) +
                      "] must be from 1 to 5, not " + std::to_string(type));
    if (type == 2 || type == 3 || type == 4)
      added.push_back({.id = static_cast<Index>(i), .special = type != 4});
  }
  return added;
}

inline std::pair<std::string, std::string> merge_of(const std::string& text, std::size_t number,
                                                    const std::string& where) {
  const std::size_t space = text.find(' ');
  if (space == text.npos || text.find(' ', space + 1) != text.npos)
    throw FileError(where + ": tokenizer.ggml.merges[" + std::to_string(number) +
                    "] must be two tokens with a space between them, not " + in_quotes(text));
  return {text.substr(0, space), text.substr(space + 1)};
}

/// The token that is added around each text, if one is.
inline std::vector<Index> around(bool adds, std::optional<Index> token, const std::string& name,
                                 const std::string& where) {
  if (!adds) return {};
  if (!token)
    throw FileError(where + ": tokenizer.ggml.add_" + name + "_token is true, but there is no " +
                    "tokenizer.ggml." + name + "_token_id");
  return {*token};
}

/// The same tokenizer as a description.
/// Errors: FileError, a sentence that begins with `where`.
inline TokenizerDescription tokenizer_of_gguf(GgufTokenizer gguf, const std::string& where) {
  expect_gguf_model(gguf.model, where);
  if (!gguf.token_type.empty() && gguf.token_type.size() != gguf.tokens.size())
    throw FileError(where + ": tokenizer.ggml.token_type has " +
                    std::to_string(gguf.token_type.size()) + " elements and must have " +
                    std::to_string(gguf.tokens.size()) + ", one for each token");
  TokenizerDescription description;
  set_pre_tokenizer(gguf.pre, description, where);
  description.added_tokens = added_tokens_of(gguf.token_type, where);
  description.tokens = std::move(gguf.tokens);
  description.add_prefix_space = gguf.add_space_prefix;

  const bool is_llama = gguf.pre.starts_with("llama");
  BytePairs pairs{.ignore_merges = is_llama};
  for (std::size_t i = 0; i < gguf.merges.size(); ++i)
    pairs.merges.push_back(merge_of(gguf.merges[i], i, where));
  description.model = std::move(pairs);

  description.begin = gguf.bos_token_id;
  description.end = gguf.eos_token_id;
  const bool adds_begin = gguf.add_bos_token.value_or(is_llama && gguf.bos_token_id);
  description.prefix = around(adds_begin, gguf.bos_token_id, "bos", where);
  description.suffix = around(gguf.add_eos_token.value_or(false), gguf.eos_token_id, "eos", where);
  return description;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
