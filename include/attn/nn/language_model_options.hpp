#pragma once

#include <attn/nn/transformer_options.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The names that the parameters of a language model have in its files, those of Hugging Face:
/// `model.layers.0.self_attn.q_proj.weight`, or `transformer.h.0.attn.c_attn.weight`.
enum class ParameterNames { llama, gpt2 };

/// A decoder-only transformer: a vocabulary, layers under a causal rule, and positions, which are
/// learned or those of the layer's rotary option. With a sliding window a query attends to that
/// many positions, itself included.
struct LanguageModelOptions {
  Index vocabulary, max_length;
  TransformerLayerOptions layer;
  Index num_layers;
  bool learned_positions = false;
  bool tie_embeddings = true;  ///< the output layer is the table of embeddings
  std::optional<Index> sliding_window = std::nullopt;
  ParameterNames names = ParameterNames::llama;
};

/// The sizes of a language model. `max_length` is the longest context; `num_kv_heads` is nhead
/// unless it is given.
struct LanguageModelSizes {
  Index vocabulary, d_model, nhead;
  std::optional<Index> num_kv_heads = std::nullopt;
  Index dim_feedforward, num_layers, max_length;
};

namespace detail {

/// What Llama and GPT-2 have in common.
inline LanguageModelOptions decoder_only(const LanguageModelSizes& sizes) {
  return {.vocabulary = sizes.vocabulary,
          .max_length = sizes.max_length,
          .layer = {.d_model = sizes.d_model,
                    .nhead = sizes.nhead,
                    .dim_feedforward = sizes.dim_feedforward,
                    .dropout = 0,
                    .layer_norm_eps = 1e-5,
                    .norm_first = true,
                    .num_kv_heads = sizes.num_kv_heads},
          .num_layers = sizes.num_layers};
}

}  // namespace detail

/// Llama   [Touvron23 §2.2]: RMSNorm before each sublayer, rotary positions, grouped-query
/// attention, SwiGLU, no biases. The output layer is tied, as in the small models.
inline LanguageModelOptions llama(const LanguageModelSizes& sizes) {
  LanguageModelOptions options = detail::decoder_only(sizes);
  options.layer.norm = NormType::rms_norm;
  options.layer.rotary = RotaryOptions{};
  options.layer.activation = Activation::swiglu;
  options.layer.bias = false;
  options.layer.separate_projections = true;
  return options;
}

/// Qwen2   [Yang24 §2.2.1]: Llama with biases of q, k and v, and frequencies for longer contexts.
inline LanguageModelOptions qwen2(const LanguageModelSizes& sizes) {
  LanguageModelOptions options = llama(sizes);
  options.layer.qkv_bias = true;
  options.layer.layer_norm_eps = 1e-6;
  options.layer.rotary->base = 1e6;
  return options;
}

/// GPT-2   [Radford19 §2.3]: LayerNorm before each sublayer, learned positions, GELU (by tanh),
/// biases.
inline LanguageModelOptions gpt2(const LanguageModelSizes& sizes) {
  LanguageModelOptions options = detail::decoder_only(sizes);
  options.layer.activation = Activation::gelu_tanh;
  options.learned_positions = true;
  options.names = ParameterNames::gpt2;
  return options;
}

}  // namespace ATTN_ABI
}  // namespace attn
