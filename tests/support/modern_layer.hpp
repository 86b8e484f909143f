#pragma once

#include <attn/nn/transformer_options.hpp>

/// As in Llama and its successors: what the layers of language models are tested with in
/// train/language_model_cases_test.cpp.
inline attn::TransformerLayerOptions modern_layer(bool norm_first) {
  return {.d_model = 12,
          .nhead = 3,
          .dim_feedforward = 10,
          .dropout = 0.1,
          .activation = attn::Activation::swiglu,
          .norm_first = norm_first,
          .bias = false,
          .num_kv_heads = 1,
          .norm = attn::NormType::rms_norm,
          .rotary = attn::RotaryOptions{.base = 100, .rotary_dim = 2},
          .qk_norm_eps = 1e-6,
          .qkv_bias = true,
          .separate_projections = norm_first};
}
