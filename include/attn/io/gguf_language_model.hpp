#pragma once

#include <attn/io/gguf.hpp>
#include <attn/io/name_map.hpp>
#include <attn/nn/language_model_names.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The metadata of a model in a GGUF file, `llama.block_count` for example.
class GgufModel {
 public:
  explicit GgufModel(const Gguf& file)
      : file_(file), architecture_(file.metadata<std::string>("general.architecture")) {}

  const std::string& architecture() const { return architecture_; }
  template <class V>
  V get(const std::string& key) const {
    return file_.metadata<V>(architecture_ + "." + key);
  }
  template <class V>
  V get(const std::string& key, V otherwise) const {
    return file_.contains_metadata(architecture_ + "." + key) ? get<V>(key) : otherwise;
  }

 private:
  const Gguf& file_;
  std::string architecture_;
};

/// How rotary positions are scaled: by the metadata, or by a tensor of divisors.
inline RotaryScaling gguf_rotary_scaling(const Gguf& file, const GgufModel& model) {
  if (file.contains("rope_freqs.weight"))
    return FrequencyDivisors{file.values<double>("rope_freqs.weight")};
  const std::string kind = model.get<std::string>("rope.scaling.type", "none");
  if (kind == "none") return {};
  if (kind == "linear") return LinearScaling{model.get<double>("rope.scaling.factor")};
  throw FileError("load_language_model: rope.scaling.type must be none or linear, not " +
                  in_quotes(kind));
}

/// The options of a model. Errors: FileError for another architecture, and for what is missing.
inline LanguageModelOptions gguf_options(const Gguf& file, const std::string& path) {
  const GgufModel model(file);
  const std::string& name = model.architecture();
  if (name != "llama" && name != "qwen2" && name != "qwen3" && name != "gpt2")
    throw FileError("load_language_model: \"" + path + "\" has the architecture " +
                    in_quotes(name) + "; it must be llama, qwen2, qwen3 or gpt2");
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
  if (name == "gpt2") {
    options.layer.layer_norm_eps = model.get<double>("attention.layer_norm_epsilon");
    return options;
  }
  options.layer.layer_norm_eps = model.get<double>("attention.layer_norm_rms_epsilon");
  options.layer.qkv_bias = name == "qwen2";
  if (name == "qwen3") options.layer.qk_norm_eps = options.layer.layer_norm_eps;
  const Index E = sizes.d_model / std::max<Index>(1, heads);
  options.layer.d_k = model.get<Index>("attention.key_length", E);
  options.layer.d_v = model.get<Index>("attention.value_length", E);
  RotaryOptions& rotary = *options.layer.rotary;
  rotary.base = model.get<double>("rope.freq_base", 10000);
  rotary.rotary_dim = model.get<Index>("rope.dimension_count", *options.layer.d_k);
  rotary.scaling = gguf_rotary_scaling(file, model);
  return options;
}

/// The names of a GGUF file's tensors, and Hugging Face's.
inline NameMap gguf_names(ParameterNames names) {
  if (names == ParameterNames::gpt2)
    return NameMap({{"transformer.wte.{}", {"token_embd.{}"}},
                    {"transformer.wpe.{}", {"position_embd.{}"}},
                    {"transformer.h.{}.ln_1.{}", {"blk.{}.attn_norm.{}"}},
                    {"transformer.h.{}.attn.c_attn.{}", {"blk.{}.attn_qkv.{}"}},
                    {"transformer.h.{}.attn.c_proj.{}", {"blk.{}.attn_output.{}"}},
                    {"transformer.h.{}.ln_2.{}", {"blk.{}.ffn_norm.{}"}},
                    {"transformer.h.{}.mlp.c_fc.{}", {"blk.{}.ffn_up.{}"}},
                    {"transformer.h.{}.mlp.c_proj.{}", {"blk.{}.ffn_down.{}"}},
                    {"transformer.ln_f.{}", {"output_norm.{}"}},
                    {"lm_head.{}", {"output.{}"}}});
  return NameMap({{"model.embed_tokens.{}", {"token_embd.{}"}},
                  {"model.layers.{}.input_layernorm.{}", {"blk.{}.attn_norm.{}"}},
                  {"model.layers.{}.self_attn.q_proj.{}", {"blk.{}.attn_q.{}"}},
                  {"model.layers.{}.self_attn.k_proj.{}", {"blk.{}.attn_k.{}"}},
                  {"model.layers.{}.self_attn.v_proj.{}", {"blk.{}.attn_v.{}"}},
                  {"model.layers.{}.self_attn.o_proj.{}", {"blk.{}.attn_output.{}"}},
                  {"model.layers.{}.self_attn.q_norm.{}", {"blk.{}.attn_q_norm.{}"}},
                  {"model.layers.{}.self_attn.k_norm.{}", {"blk.{}.attn_k_norm.{}"}},
                  {"model.layers.{}.post_attention_layernorm.{}", {"blk.{}.ffn_norm.{}"}},
                  {"model.layers.{}.mlp.gate_proj.{}", {"blk.{}.ffn_gate.{}"}},
                  {"model.layers.{}.mlp.up_proj.{}", {"blk.{}.ffn_up.{}"}},
                  {"model.layers.{}.mlp.down_proj.{}", {"blk.{}.ffn_down.{}"}},
                  {"model.norm.{}", {"output_norm.{}"}},
                  {"lm_head.{}", {"output.{}"}}},
                 {"rope_freqs.{}"});
}

/// A GGUF file's tensors with the rows and columns that Hugging Face's have: GGUF puts the two
/// elements of a rotated pair of Llama's queries and keys beside each other, and has the matrices
/// of GPT-2's layers transposed.
class GgufAsHuggingFace {
 public:
  GgufAsHuggingFace(const Gguf& file, const LanguageModelOptions& options)
      : file_(file),
        heads_(options.layer.nhead),
        key_heads_(options.layer.num_kv_heads.value_or(heads_)),
        architecture_(file.metadata<std::string>("general.architecture")) {}

  std::vector<std::string> names() const { return file_.names(); }
  std::vector<Index> shape(const std::string& name) const {
    std::vector<Index> shape = file_.shape(name);
    if (is_transposed(name)) std::reverse(shape.begin(), shape.end());
    return shape;
  }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    file_.read(name, to);
    if (is_transposed(name)) {
      const std::vector<T> stored(to.begin(), to.end());
      transpose_into<T>(stored, file_.shape(name).front(), to);
    } else if (architecture_ == "llama") {
      if (is_part(name, ".attn_q.")) separate_pairs(to, name, heads_);
      if (is_part(name, ".attn_k.")) separate_pairs(to, name, key_heads_);
    }
  }
  template <class T>
  void check(const std::string& name) const {
    file_.check<T>(name);
  }

 private:
  static bool is_part(const std::string& name, const char* part) {
    return name.find(part) != name.npos;
  }
  bool is_transposed(const std::string& name) const {
    if (architecture_ != "gpt2" || file_.shape(name).size() != 2) return false;
    return is_part(name, ".attn_qkv.") || is_part(name, ".attn_output.") ||
           is_part(name, ".ffn_up.") || is_part(name, ".ffn_down.");
  }
  /// Rows 2i and 2i + 1 of each head become rows i and E/2 + i.
  template <class T>
  void separate_pairs(std::span<T> rows, const std::string& name, Index heads) const {
    const std::vector<T> stored(rows.begin(), rows.end());
    const Index count = file_.shape(name).front(), E = count / heads;
    const Index width = std::ssize(rows) / std::max<Index>(1, count);
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < E; ++i) {
        const Index from = h * E + i, to = h * E + i % 2 * (E / 2) + i / 2;
        std::copy_n(stored.begin() + from * width, width, rows.begin() + to * width);
      }
  }

  Gguf file_;
  Index heads_, key_heads_;
  std::string architecture_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
