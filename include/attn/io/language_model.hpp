#pragma once

#include <attn/io/gguf_language_model.hpp>
#include <attn/io/hugging_face_config.hpp>
#include <attn/io/sharded_safetensors.hpp>
#include <attn/nn/language_model.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A published model: its architecture, its sizes and its weights, converted to T. `path` is a GGUF
/// file of the architecture llama, qwen2, qwen3 or gpt2, or a folder of Hugging Face with
/// config.json (llama, mistral, qwen2, qwen3, gpt2) and the weights as safetensors, in one file or
/// several.
///
///   const LanguageModel<float> model = load_language_model<float>("SmolLM2-135M-Instruct.gguf");
///
/// Errors: FileError, one sentence, for a file that cannot be read, another architecture, and what
/// would change the results and is not supported; those of LanguageModel and its load_state_dict.
template <class T>
LanguageModel<T> load_language_model(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    const std::filesystem::path config = path / "config.json";
    if (!std::filesystem::is_regular_file(config))
      throw FileError("load_language_model: the folder \"" + path.string() +
                      "\" must have a file config.json");
    LanguageModel<T> model(detail::read_config(config));
    model.load_state_dict(load_safetensors_folder(path));
    return model;
  }
  const Gguf file = load_gguf(path);
  LanguageModel<T> model(detail::gguf_options(file, path.string()));
  const detail::GgufAsHuggingFace weights(file, model.options);
  model.load_state_dict(detail::gguf_names(model.options.names)(weights));
  return model;
}

}  // namespace ATTN_ABI
}  // namespace attn
