#pragma once

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
  kind->fail_at_value("default, linear or llama3");
}

// Members that must have the one value that is supported, where they are there.
inline void expect_text(const JsonNode& config, const std::string& key, const std::string& only) {
  if (const auto node = config.find(key); node && node->text() != only) node->fail_at_value(only);
}
inline void expect_flag(const JsonNode& config, const std::string& key, bool only) {
  if (const auto node = config.find(key); node && node->flag() != only)
    node->fail_at_value(only ? "true" : "false");
}

/// Refuses what would change the results of Llama, Mistral, Qwen2 and Qwen3.
inline void expect_plain_llama(const JsonNode& config) {
  expect_text(config, "hidden_act", "silu");
  expect_flag(config, "mlp_bias", false);
  expect_flag(config, "attention_bias", false);
  expect_flag(config, "use_sliding_window", false);
  if (config.number("partial_rotary_factor", 1) != 1)
    config["partial_rotary_factor"].fail_at_value("1");
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
  expect_plain_llama(config);
  if (type == "qwen2") options.layer.qkv_bias = true;
  if (type == "qwen3") options.layer.qk_norm_eps = options.layer.layer_norm_eps;
  // Without the member, a window would be Mistral's default.
  if (type == "mistral" && !config["sliding_window"].is_null())
    options.sliding_window = config["sliding_window"].index();
  return options;
}

inline LanguageModelOptions gpt2_config(const JsonNode& config) {
  const Index D = std::min(config["n_embd"].index(), std::numeric_limits<Index>::max() / 4);
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

/// The options of a model, from config.json in a folder of Hugging Face. Errors: FileError, one
/// sentence, for a model of another type, and for what would change its results and is not
/// supported.
inline LanguageModelOptions read_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::exists(path))
    throw FileError("load_language_model: the folder \"" + folder.string() +
                    "\" must have a file config.json");
  const std::string where = "load_language_model: \"" + path.string() + "\"";
  const nlohmann::json json = read_json(path, "load_language_model");
  const JsonNode config(json, "", where);
  if (const auto quantized = config.find("quantization_config"))
    quantized->fail("is not supported");
  const std::string& type = config["model_type"].text();
  if (type == "gpt2") return gpt2_config(config);
  for (const char* known : {"llama", "mistral", "qwen2", "qwen3"})
    if (type == known) return llama_config(config, type);
  config["model_type"].fail_at_value("llama, mistral, qwen2, qwen3 or gpt2");
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
