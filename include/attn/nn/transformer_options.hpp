#pragma once

#include <attn/nn/feed_forward.hpp>
#include <attn/nn/multi_head_attention_options.hpp>
#include <attn/nn/norm.hpp>

namespace attn {
inline namespace ATTN_ABI {

enum class NormType { layer_norm, rms_norm };

/// PyTorch's options of `TransformerEncoderLayer` and `TransformerDecoderLayer`, by PyTorch's
/// defaults; num_kv_heads, d_k and d_v as in MultiHeadAttentionOptions. `dropout` is that of each
/// sublayer's output, of the feed-forward network's inner layer and, as PyTorch has it, of the
/// attention weights. `norm_first` normalizes before each sublayer, not after it as the paper
/// prints. Beyond PyTorch's: the norm, whose ε is layer_norm_eps, and of self-attention rotary
/// positions, norms of queries and keys, and biases of the projections to q, k and v alone, as in
/// MultiHeadAttentionOptions.
struct TransformerLayerOptions {
  Index d_model, nhead, dim_feedforward = 2048;
  double dropout = 0.1;
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool norm_first = false;
  bool bias = true;
  std::optional<Index> num_kv_heads = std::nullopt, d_k = std::nullopt, d_v = std::nullopt;
  NormType norm = NormType::layer_norm;
  std::optional<RotaryOptions> rotary = std::nullopt;
  std::optional<double> qk_norm_eps = std::nullopt;
  std::optional<bool> qkv_bias = std::nullopt;  ///< by default `bias`
  bool separate_projections = false;

  MultiHeadAttentionOptions self_attention() const {
    return {.embed_dim = d_model,
            .num_heads = nhead,
            .num_kv_heads = num_kv_heads,
            .bias = qkv_bias.value_or(bias),
            .d_k = d_k,
            .d_v = d_v,
            .dropout = dropout,
            .out_bias = bias,
            .separate_projections = separate_projections,
            .rotary = rotary,
            .qk_norm_eps = qk_norm_eps};
  }
  /// Attention to a memory, which has no positions.
  MultiHeadAttentionOptions cross_attention() const {
    MultiHeadAttentionOptions options = self_attention();
    options.rotary.reset();
    return options;
  }
  FeedForwardOptions feed_forward() const {
    return {.d_model = d_model,
            .dim_feedforward = dim_feedforward,
            .activation = activation,
            .dropout = dropout,
            .bias = bias};
  }
  std::variant<LayerNormOptions, RMSNormOptions> norm_options() const {
    if (norm == NormType::rms_norm)
      return RMSNormOptions{.normalized_shape = d_model, .eps = layer_norm_eps};
    return LayerNormOptions{.normalized_shape = d_model, .eps = layer_norm_eps, .bias = bias};
  }
};

/// A stack of equal layers; `final_norm`: a norm after the last, as `norm_first` needs one.
struct TransformerStackOptions {
  TransformerLayerOptions layer;
  Index num_layers = 6;
  bool final_norm = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
