#pragma once

#include <attn/io/gguf.hpp>
#include <attn/nn/language_model_options.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The metadata of a model in a GGUF file, `llama.block_count` for example.
class GgufModel {
 public:
  /// `where` begins each error that is not the file's own, and must outlive the model.
  GgufModel(const Gguf& file, const std::string& where)
      : file_(file),
        where_(where),
        architecture_(file.metadata<std::string>("general.architecture")) {}

  const Gguf& file() const { return file_; }
  const std::string& architecture() const { return architecture_; }
  bool contains(const std::string& key) const {
    return file_.contains_metadata(architecture_ + "." + key);
  }
  template <class V>
  V get(const std::string& key) const {
    return file_.metadata<V>(architecture_ + "." + key);
  }
  template <class V>
  V get(const std::string& key, V otherwise) const {
    return contains(key) ? get<V>(key) : otherwise;
  }

  /// Refuses the value of a key: `what` is wrong with it.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    throw FileError(where_ + ": " + architecture_ + "." + key + " " + what);
  }
  /// Refuses a value that would change the results and is not supported.
  template <class V>
  void expect(const std::string& key, V only, const std::string& text) const {
    if (get<V>(key, only) != only) fail(key, "must be " + text);
  }

 private:
  const Gguf& file_;
  const std::string& where_;
  std::string architecture_;
};

/// How rotary positions are scaled: by the metadata, by a tensor of divisors, or by both. As in
/// llama.cpp, the scaling is linear where there is a factor alone, which older files call
/// rope.scale_linear.
inline RotaryScaling gguf_rotary_scaling(const GgufModel& model) {
  const std::string kind = model.get<std::string>("rope.scaling.type", "linear");
  if (kind != "none" && kind != "linear")
    model.fail("rope.scaling.type", "must be none or linear, not " + in_quotes(kind));
  double factor = 1;
  if (kind == "linear" && model.contains("rope.scaling.type"))
    factor = model.get<double>("rope.scaling.factor");
  else if (kind == "linear")
    factor = model.get("rope.scaling.factor", model.get("rope.scale_linear", 1.0));
  if (!model.file().contains("rope_freqs.weight"))
    return factor == 1 ? RotaryScaling{} : LinearScaling{factor};
  std::vector<double> divisors = model.file().values<double>("rope_freqs.weight");
  for (double& divisor : divisors) divisor *= factor;
  return FrequencyDivisors{std::move(divisors)};
}

/// What Llama, Qwen2 and Qwen3 have beside their sizes.
inline void read_gguf_llama(const GgufModel& model, LanguageModelOptions& options) {
  TransformerLayerOptions& layer = options.layer;
  layer.layer_norm_eps = model.get<double>("attention.layer_norm_rms_epsilon");
  layer.qkv_bias = model.architecture() == "qwen2";
  if (model.architecture() == "qwen3") layer.qk_norm_eps = layer.layer_norm_eps;
  if (model.contains("attention.key_length")) layer.d_k = model.get<Index>("attention.key_length");
  if (model.contains("attention.value_length"))
    layer.d_v = model.get<Index>("attention.value_length");
  layer.rotary->base = model.get<double>("rope.freq_base", 10000);
  layer.rotary->scaling = gguf_rotary_scaling(model);
  const Index E = layer.d_k.value_or(layer.d_model / std::max<Index>(1, layer.nhead));
  const Index rotated = model.get<Index>("rope.dimension_count", E);
  if (rotated != E) layer.rotary->rotary_dim = rotated;
  if (rotated != E && model.architecture() == "llama")
    model.fail("rope.dimension_count", "must be the head dimension, " + std::to_string(E) +
                                           ", not " + std::to_string(rotated));
  model.expect<Index>("expert_count", 0, "0: a mixture of experts is not supported");
}

/// The options of a model. Errors: FileError for another architecture, for what is missing, and for
/// what would change the results and is not supported.
inline LanguageModelOptions gguf_options(const Gguf& file, const std::string& where) {
  const GgufModel model(file, where);
  const std::string& name = model.architecture();
  if (name != "llama" && name != "qwen2" && name != "qwen3" && name != "gpt2")
    throw FileError(where + ": general.architecture must be llama, qwen2, qwen3 or gpt2, not " +
                    in_quotes(name));
  if (file.names().empty()) throw FileError(where + ": the file must have tensors, but has none");
  const std::vector<Index>& embedding = file.shape("token_embd.weight");
  const Index heads = model.get<Index>("attention.head_count");
  const LanguageModelSizes sizes{.vocabulary = embedding.empty() ? 0 : embedding.front(),
                                 .d_model = model.get<Index>("embedding_length"),
                                 .nhead = heads,
                                 .num_kv_heads = model.get<Index>("attention.head_count_kv", heads),
                                 .dim_feedforward = model.get<Index>("feed_forward_length"),
                                 .num_layers = model.get<Index>("block_count"),
                                 .max_length = model.get<Index>("context_length")};
  LanguageModelOptions options = name == "gpt2" ? gpt2(sizes) : llama(sizes);
  options.tie_embeddings = !file.contains("output.weight");
  model.expect<bool>("attention.causal", true, "true");
  if (name == "gpt2")
    options.layer.layer_norm_eps = model.get<double>("attention.layer_norm_epsilon");
  else read_gguf_llama(model, options);
  return options;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
