#pragma once

#include <attn/io/gguf_language_model.hpp>
#include <attn/io/gguf_weights.hpp>
#include <attn/io/hugging_face_config.hpp>
#include <attn/io/safetensors_stored.hpp>
#include <attn/nn/language_model.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// How a published model is loaded.
struct LoadOptions {
  /// Weights of products are stored as the file has them, for inference; otherwise they are
  /// converted to T, as training needs them.
  bool keep_storage = true;
  /// As what the inputs of products with weights of 8 or 4 bits are rounded, if they are: int8, as
  /// `round_activations(Storage::int8)` does.
  std::optional<Storage> activations = {};
  /// Is called with the fraction of the weights that has been read, up to 1.
  std::function<void(double)> on_progress = {};
};

namespace detail {

/// A source for one model, which reports the fraction of its elements that has been read. It has no
/// `check`: where a value cannot be read there is no model, so that all values are read once.
template <class Source>
class ReportingSource {
 public:
  ReportingSource(const Source& source, Index count, const LoadOptions& options)
      : source_(source), count_(static_cast<double>(count)), options_(options) {}

  std::vector<std::string> names() const { return source_.names(); }
  std::vector<Index> shape(const std::string& name) const { return source_.shape(name); }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    source_.read(name, to);
    report(std::ssize(to));
  }
  std::optional<StoredMatrix> stored(const std::string& name) const {
    std::optional<StoredMatrix> weight;
    if constexpr (requires { source_.stored(name); })
      if (options_.keep_storage) weight = source_.stored(name);
    if (weight) report(weight->rows() * weight->columns());
    return weight;
  }

 private:
  void report(Index count) const {
    read_ += static_cast<double>(count);
    if (options_.on_progress) options_.on_progress(read_ / count_);
  }

  const Source& source_;
  double count_;
  const LoadOptions& options_;
  mutable double read_ = 0;
};

/// Refuses sizes for which the weights have by far too few elements, before memory is allocated for
/// them. (Where they have a few too few, loading names the tensors.)
template <class Source>
void expect_elements(const Source& weights, const LanguageModelOptions& o) {
  double count = 0;
  for (const std::string& name : weights.names())
    count += static_cast<double>(checked_size(weights.shape(name)));
  const auto real = [](Index size) { return static_cast<double>(size); };
  const Index E = o.layer.d_model / std::max<Index>(1, o.layer.nhead);
  const double heads = real(o.layer.nhead) + real(o.layer.num_kv_heads.value_or(o.layer.nhead));
  const double attention = heads * (real(o.layer.d_k.value_or(E)) + real(o.layer.d_v.value_or(E)));
  const double layers = real(o.num_layers) * (attention + 2 * real(o.layer.dim_feedforward));
  const double rows = real(o.vocabulary) + (o.learned_positions ? real(o.max_length) : 0);
  const double needed = std::max(1.0, real(o.layer.d_model)) * (rows + layers);
  expect_option(needed <= 4 * count, "LanguageModel", "the number of elements of its parameters",
                needed, "about that of the weights, " + std::to_string(std::llround(count)));
}

/// The model of these options with these weights. Errors: FileError, a sentence that begins with
/// `where`, also for options that do not fit each other or the weights.
template <class T, class Source>
LanguageModel<T> read_language_model(const LanguageModelOptions& options, const Source& weights,
                                     const std::string& where, const LoadOptions& loading) {
  try {
    expect_elements(weights, options);
    LanguageModel<T> model(options);
    model.load_state_dict(ReportingSource(weights, model.num_parameters(), loading));
    return model;
  } catch (const OptionError& error) {
    throw FileError(where + ": " + error.what());
  } catch (const ShapeError& error) {
    throw FileError(where + ": " + error.what());
  }
}

/// The model of a folder or of a GGUF file, as it is stored there.
template <class T>
LanguageModel<T> read_language_model(const std::filesystem::path& path,
                                     const LoadOptions& loading) {
  const std::string where = "load_language_model: \"" + path.string() + "\"";
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    const LanguageModelOptions options = read_config(path);
    const ShardedSafeTensors files = load_safetensors_folder(path);
    const StoredSafeTensors weights(files, options.names);
    return read_language_model<T>(options, weights, where, loading);
  }
  const Gguf file = load_gguf(path);
  const LanguageModelOptions options = gguf_options(file, where);
  const GgufAsHuggingFace stored(file, options);
  const auto weights = gguf_names(options.names)(stored);
  return read_language_model<T>(options, weights, where, loading);
}

}  // namespace detail

/// A published model: its architecture, its sizes and its weights. `path` is a GGUF file of the
/// architecture llama, qwen2, qwen3 or gpt2, or a folder of Hugging Face with config.json (llama,
/// mistral, qwen2, qwen3, gpt2) and the weights as safetensors, in one file or several.
///
///   const LanguageModel<float> model = load_language_model<float>("SmolLM2-135M-Instruct.gguf");
///
/// The logits are those of the numbers that the file holds, computed in T. Weights are
/// stored as it has them, and cannot be trained or read unless LoadOptions says so.
/// Errors: FileError, one sentence, for a file that cannot be read, another architecture, sizes and
/// weights that do not fit each other, and what would change the results and is not supported;
/// those of `round_activations`.
template <class T>
LanguageModel<T> load_language_model(const std::filesystem::path& path,
                                     const LoadOptions& loading = {}) {
  LanguageModel<T> model = detail::read_language_model<T>(path, loading);
  model.round_activations(loading.activations);
  return model;
}

}  // namespace ATTN_ABI
}  // namespace attn
