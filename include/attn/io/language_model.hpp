#pragma once

#include <attn/io/gguf_language_model.hpp>
#include <attn/io/hugging_face_config.hpp>
#include <attn/io/sharded_safetensors.hpp>
#include <attn/nn/language_model.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// A source that tells which fraction of its elements has been read.
template <class Source>
class ReportingSource {
 public:
  ReportingSource(const Source& source, const std::function<void(double)>& on_progress)
      : source_(source), on_progress_(on_progress) {
    for (const std::string& name : source.names())
      all_ += static_cast<double>(checked_size(source.shape(name)));
  }

  std::vector<std::string> names() const { return source_.names(); }
  std::vector<Index> shape(const std::string& name) const { return source_.shape(name); }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    source_.read(name, to);
    read_ += static_cast<double>(to.size());
    if (on_progress_) on_progress_(std::min(1.0, read_ / all_));
  }
  template <class T>
  void check(const std::string& name) const {
    source_.template check<T>(name);
  }

 private:
  const Source& source_;
  const std::function<void(double)>& on_progress_;
  double all_ = 0;
  mutable double read_ = 0;
};

}  // namespace detail

/// A published model: its architecture, its sizes and its weights, converted to T. `path` is a GGUF
/// file of the architecture llama, qwen2, qwen3 or gpt2, or a folder of Hugging Face with
/// config.json (llama, mistral, qwen2, qwen3, gpt2) and the weights as safetensors, in one file or
/// several. `on_progress` is called with the fraction of the weights that has been read, 0 to 1.
///
///   const LanguageModel<float> model = load_language_model<float>("SmolLM2-135M-Instruct.gguf");
///
/// Errors: FileError, one sentence, for a file that cannot be read, another architecture, and what
/// would change the results and is not supported; those of LanguageModel and its load_state_dict.
template <class T>
LanguageModel<T> load_language_model(const std::filesystem::path& path,
                                     const std::function<void(double)>& on_progress = {}) {
  if (std::filesystem::is_directory(path)) {
    const std::filesystem::path config = path / "config.json";
    if (!std::filesystem::is_regular_file(config))
      throw FileError("load_language_model: the folder \"" + path.string() +
                      "\" must have a file config.json");
    LanguageModel<T> model(detail::read_config(config));
    const ShardedSafeTensors weights = load_safetensors_folder(path);
    model.load_state_dict(detail::ReportingSource(weights, on_progress));
    return model;
  }
  const Gguf file = load_gguf(path);
  LanguageModel<T> model(detail::gguf_options(file, path.string()));
  const detail::GgufAsHuggingFace weights(file, model.options);
  const auto named = detail::gguf_names(model.options.names)(weights);
  model.load_state_dict(detail::ReportingSource(named, on_progress));
  return model;
}

}  // namespace ATTN_ABI
}  // namespace attn
