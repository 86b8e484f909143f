#pragma once

#include <attn/attn.hpp>
#include <utility>
#include <vector>

/// The weights with which each layer of a decoder attends to the encoder's output, (B, H, L, S)
/// each, and the logits of the model.
struct CrossAttention {
  std::vector<attn::Tensor<float, 4>> weights;
  attn::Tensor<float, 3> logits;
};

/// Computes model(source, target, rule) layer by layer   [Vaswani17 §3.1] and keeps the weights of
/// the cross-attention. The model must have sinusoidal positions and tied embeddings.
template <attn::Rule R>
CrossAttention cross_attention(const attn::Transformer<float>& model,
                               const attn::Tensor<attn::Index, 2>& source,
                               const attn::Tensor<attn::Index, 2>& target, const R& rule) {
  CrossAttention result;
  const attn::Tensor<float, 3> memory = model.encode(source, rule);
  attn::Tensor<float, 3> x =
      attn::add_to_each(model.target_embedding(target),
                        attn::sinusoidal<float>(target.shape()[1], model.options.layer.d_model));
  for (const auto& layer : model.decoder.layers) {
    x = layer.residual(x, layer.norm1,
                       [&](const auto& y) { return layer.self_attn(y, y, y, attn::Causal{}); });
    x = layer.residual(x, layer.norm2, [&](const auto& y) {
      auto both = layer.multihead_attn.with_weights(y, memory, memory, rule);
      result.weights.push_back(std::move(both.weights));
      return std::move(both.output);
    });
    x = layer.residual(x, layer.norm3, layer.feed_forward);
  }
  if (model.decoder.norm) x = (*model.decoder.norm)(x);
  result.logits = attn::Tensor<float, 3>(
      {target.shape()[0], target.shape()[1], model.options.target_vocabulary});
  result.logits.as_rows() =
      x.as_rows() * model.target_embedding.weight.value().matrix().transpose();
  return result;
}
