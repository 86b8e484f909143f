#pragma once

#include <attn/nn/feed_forward.hpp>
#include <attn/nn/layer_norm.hpp>
#include <attn/nn/multi_head_attention.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options of `TransformerEncoderLayer` and `TransformerDecoderLayer`, by PyTorch's
/// defaults; num_kv_heads, d_k and d_v as in MultiHeadAttentionOptions. `dropout` is that of each
/// sublayer's output, of the feed-forward network's inner layer and, as PyTorch has it, of the
/// attention weights. `norm_first` normalizes before each sublayer, not after it as the paper
/// prints.
struct TransformerLayerOptions {
  Index d_model, nhead, dim_feedforward = 2048;
  double dropout = 0.1;
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool norm_first = false;
  bool bias = true;
  std::optional<Index> num_kv_heads = std::nullopt, d_k = std::nullopt, d_v = std::nullopt;

  MultiHeadAttentionOptions attention() const {
    return {.embed_dim = d_model,
            .num_heads = nhead,
            .num_kv_heads = num_kv_heads,
            .bias = bias,
            .d_k = d_k,
            .d_v = d_v,
            .dropout = dropout};
  }
  FeedForwardOptions feed_forward() const {
    return {.d_model = d_model,
            .dim_feedforward = dim_feedforward,
            .activation = activation,
            .dropout = dropout,
            .bias = bias};
  }
  LayerNormOptions norm() const {
    return {.normalized_shape = d_model, .eps = layer_norm_eps, .bias = bias};
  }
};

/// A stack of equal layers; `final_norm`: a LayerNorm after the last, as `norm_first` needs one.
struct TransformerStackOptions {
  TransformerLayerOptions layer;
  Index num_layers = 6;
  bool final_norm = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
