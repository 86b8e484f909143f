#pragma once

#include <attn/files/mapped_file.hpp>
#include <attn/io/json_node.hpp>
#include <attn/nn/language_model_options.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The scaling of rotary positions, from `rope_scaling` or, of newer files, `rope_parameters`.
inline RotaryScaling rotary_scaling(const JsonNode& node) {
  const auto kind = node.find("rope_type") ? node.find("rope_type") : node.find("type");
  if (!kind || kind->text() == "default") return {};
  if (kind->text() == "linear") return LinearScaling{node["factor"].number()};
  if (kind->text() == "llama3")
    return Llama3Scaling{node["factor"].number(), node["low_freq_factor"].number(),
                         node["high_freq_factor"].number(),
                         node["original_max_position_embeddings"].number()};
  kind->fail("must be default, linear or llama3, not " + in_quotes(kind->text()));
}

/// Refuses a member that has another value than the one that is supported.
inline void expect_text(const JsonNode& config, const std::string& key, const std::string& only) {
  if (const auto node = config.find(key); node && node->text() != only)
    node->fail("must be " + only + ", not " + in_quotes(node->text()));
}
inline void expect_flag(const JsonNode& config, const std::string& key, bool only) {
  if (const auto node = config.find(key); node && node->flag() != only)
    node->fail(std::string("must be ") + (only ? "true" : "false"));
}

/// Llama, Mistral, Qwen2 and Qwen3.
inline LanguageModelOptions llama_config(const JsonNode& config, const std::string& type) {
  const Index heads = config["num_attention_heads"].index();
  LanguageModelOptions options = llama({.vocabulary = config["vocab_size"].index(),
                                        .d_model = config["hidden_size"].index(),
                                        .nhead = heads,
                                        .num_kv_heads = config.index("num_key_value_heads", heads),
                                        .dim_feedforward = config["intermediate_size"].index(),
                                        .num_layers = config["num_hidden_layers"].index(),
                                        .max_length = config["max_position_embeddings"].index()});
  options.tie_embeddings = config.flag("tie_word_embeddings", false);
  options.layer.layer_norm_eps = config.number("rms_norm_eps", 1e-6);
  if (const auto head_dim = config.find("head_dim"))
    options.layer.d_k = options.layer.d_v = head_dim->index();
  RotaryOptions& rotary = *options.layer.rotary;
  rotary.base = config.number("rope_theta", rotary.base);
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (const auto node = config.find(key)) {
      rotary.base = node->number("rope_theta", rotary.base);
      rotary.scaling = rotary_scaling(*node);
    }
  expect_text(config, "hidden_act", "silu");
  expect_flag(config, "mlp_bias", false);
  expect_flag(config, "attention_bias", false);
  if (type == "qwen2") options.layer.qkv_bias = true;
  if (type == "qwen3") options.layer.qk_norm_eps = options.layer.layer_norm_eps;
  if (type == "mistral") {
    if (const auto window = config.find("sliding_window")) options.sliding_window = window->index();
  } else {
    expect_flag(config, "use_sliding_window", false);
  }
  return options;
}

inline LanguageModelOptions gpt2_config(const JsonNode& config) {
  const Index D = config["n_embd"].index();
  LanguageModelOptions options = gpt2({.vocabulary = config["vocab_size"].index(),
                                       .d_model = D,
                                       .nhead = config["n_head"].index(),
                                       .dim_feedforward = config.index("n_inner", 4 * D),
                                       .num_layers = config["n_layer"].index(),
                                       .max_length = config["n_positions"].index()});
  options.layer.layer_norm_eps = config.number("layer_norm_epsilon", 1e-5);
  options.tie_embeddings = config.flag("tie_word_embeddings", true);
  expect_text(config, "activation_function", "gelu_new");
  expect_flag(config, "scale_attn_weights", true);
  expect_flag(config, "scale_attn_by_inverse_layer_idx", false);
  expect_flag(config, "add_cross_attention", false);
  return options;
}

/// The options of a model, from Hugging Face's config.json. Errors: FileError, one sentence, for a
/// model of another type, and for what would change its results and is not supported.
inline LanguageModelOptions read_config(const std::filesystem::path& path) {
  const std::string where = "load_language_model: \"" + path.string() + "\"";
  const MappedFile file(path, "load_language_model");
  const auto bytes = file.bytes();
  const nlohmann::json json =
      parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where);
  const JsonNode config(json, "", where);
  const std::string type = config["model_type"].text();
  if (type == "gpt2") return gpt2_config(config);
  for (const char* known : {"llama", "mistral", "qwen2", "qwen3"})
    if (type == known) return llama_config(config, type);
  config["model_type"].fail("must be llama, mistral, qwen2, qwen3 or gpt2, not " + in_quotes(type));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
