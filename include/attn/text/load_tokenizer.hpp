#pragma once

#include <attn/io/gguf.hpp>
#include <attn/text/tokenizer.hpp>
#include <attn/text/tokenizer_gguf.hpp>
#include <attn/text/tokenizer_json.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

inline GgufTokenizer read_gguf_tokenizer(const Gguf& file) {
  const std::string prefix = "tokenizer.ggml.";
  const auto optional = [&]<class Value>(const std::string& key, Value) {
    return file.contains_metadata(prefix + key) ? std::optional(file.metadata<Value>(prefix + key))
                                                : std::nullopt;
  };
  using Texts = std::vector<std::string>;
  return {.model = file.metadata<std::string>(prefix + "model"),
          .pre = file.metadata<std::string>(prefix + "pre"),
          .tokens = file.metadata<Texts>(prefix + "tokens"),
          .merges = file.metadata<Texts>(prefix + "merges"),
          .token_type = optional("token_type", std::vector<Index>{}).value_or(std::vector<Index>{}),
          .bos_token_id = optional("bos_token_id", Index{}),
          .eos_token_id = optional("eos_token_id", Index{}),
          .add_bos_token = optional("add_bos_token", bool{}),
          .add_eos_token = optional("add_eos_token", bool{}),
          .add_space_prefix = optional("add_space_prefix", bool{}).value_or(false)};
}

inline TokenizerDescription load_tokenizer_gguf(const std::filesystem::path& path) {
  const Gguf file = load_gguf(path);
  const std::string where = "load_tokenizer: \"" + path.string() + "\"";
  // Another model's tokenizer lacks other keys, which are not what is wrong with it.
  if (const std::string key = "tokenizer.ggml.model"; file.contains_metadata(key))
    expect_gguf_model(file.metadata<std::string>(key), where);
  return tokenizer_of_gguf(read_gguf_tokenizer(file), where);
}

}  // namespace detail

/// The tokenizer of a model: from a GGUF file, a tokenizer.json, or a folder that holds a
/// tokenizer.json.
///
/// Supported are byte-level BPE with the pre-tokenizers of GPT-2, SmolLM, Llama 3 and Qwen2, and
/// WordPiece. The token that ends a sequence is `tokenizer.ggml.eos_token_id` of a GGUF file, and
/// else `eos_token` of a tokenizer_config.json beside the tokenizer.json. Without it, the end is
/// that of these which is a special token, the first if several are: <|im_end|>, <|eot_id|>,
/// <|end_of_text|>, <|endoftext|>, </s>. If none is, `has_end()` is false.
///
/// Errors: FileError, one sentence, if the file cannot be read or has anything that would not be
/// followed: nothing is ignored silently.
inline Tokenizer load_tokenizer(const std::filesystem::path& path) {
  std::filesystem::path file = path;
  if (std::filesystem::is_directory(path)) {
    file /= "tokenizer.json";
    if (!std::filesystem::is_regular_file(file))
      throw FileError("load_tokenizer: \"" + path.string() + "\" has no file tokenizer.json");
  }
  const bool is_gguf =
      detail::text_of(MappedFile(file, "load_tokenizer").bytes()).starts_with("GGUF");
  const std::string where = "load_tokenizer: \"" + file.string() + "\"";
  if (!is_gguf && file.extension() == ".gguf")
    throw FileError(where + " must begin with \"GGUF\", as a GGUF file does");
  return Tokenizer(is_gguf ? detail::load_tokenizer_gguf(file) : detail::load_tokenizer_json(file),
                   where);
}

}  // namespace ATTN_ABI
}  // namespace attn
