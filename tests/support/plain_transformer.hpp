#pragma once

#include <attn/nn/transformer.hpp>
#include <numbers>

#include "support/plain_multi_head.hpp"

/// The paper's layers once more from their parameters, in plain loops and double.
namespace plain {

using attn::Index;
using Rows = attn::Tensor<double, 3>;
using Allows = std::function<bool(Index b, Index h, Index i, Index j)>;

inline Rows layer_norm(Rows x, const attn::LayerNorm<double>& norm) {
  const Index D = x.shape()[2];
  for (double* row = x.data(); row != x.data() + x.size(); row += D) {
    double mean = 0, variance = 0;
    for (Index d = 0; d < D; ++d) mean += row[d] / double(D);
    for (Index d = 0; d < D; ++d) variance += (row[d] - mean) * (row[d] - mean) / double(D);
    for (Index d = 0; d < D; ++d)
      row[d] = (row[d] - mean) / std::sqrt(variance + norm.eps) * norm.weight.value()(d) +
               (norm.bias ? norm.bias->value()(d) : 0);
  }
  return x;
}

inline Rows layer_norm(Rows x, const attn::Norm<double>& norm) {
  return layer_norm(std::move(x), std::get<attn::LayerNorm<double>>(norm.layer));
}

inline double activated(attn::Activation activation, double x) {
  switch (activation) {
    case attn::Activation::relu: return x > 0 ? x : 0;
    case attn::Activation::gelu: return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
    case attn::Activation::gelu_tanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    default: return x / (1 + std::exp(-x));
  }
}

inline Rows linear(const Rows& x, const attn::Linear<double>& layer) {
  return projected(x, layer.weight.value(), layer.bias ? &layer.bias->value() : nullptr, 0,
                   layer.weight.value().shape()[0], 0);
}

inline Rows feed_forward(const Rows& x, const attn::FeedForward<double>& layer) {
  Rows inner = linear(x, layer.linear1);
  for (Index i = 0; i < inner.size(); ++i)
    inner.data()[i] = activated(layer.activation, inner.data()[i]);
  if (layer.linear3) {
    const Rows gated = linear(x, *layer.linear3);
    for (Index i = 0; i < inner.size(); ++i) inner.data()[i] *= gated.data()[i];
  }
  return linear(inner, layer.linear2);
}

template <class Sublayer>
Rows residual(const Rows& x, const attn::Norm<double>& norm, bool norm_first, Sublayer&& sublayer) {
  Rows y = norm_first ? sublayer(layer_norm(x, norm)) : sublayer(x);
  for (Index i = 0; i < x.size(); ++i) y.data()[i] += x.data()[i];
  return norm_first ? y : layer_norm(y, norm);
}

inline Rows attention(const attn::MultiHeadAttention<double>& layer, const Rows& query,
                      const Rows& key, const Allows& allows) {
  return plain_multi_head(layer, query, key, key, {.allows = allows}).first;
}

inline Rows encoder(Rows x, const attn::TransformerEncoder<double>& stack, const Allows& allows) {
  for (const auto& layer : stack.layers) {
    x = residual(x, layer.norm1, layer.residual.norm_first,
                 [&](const Rows& y) { return attention(layer.self_attn, y, y, allows); });
    x = residual(x, layer.norm2, layer.residual.norm_first,
                 [&](const Rows& y) { return feed_forward(y, layer.feed_forward); });
  }
  return stack.norm ? layer_norm(x, *stack.norm) : x;
}

inline Rows decoder(Rows x, const Rows& memory, const attn::TransformerDecoder<double>& stack,
                    const Allows& allows, const Allows& allows_memory) {
  for (const auto& layer : stack.layers) {
    x = residual(x, layer.norm1, layer.residual.norm_first,
                 [&](const Rows& y) { return attention(layer.self_attn, y, y, allows); });
    x = residual(x, layer.norm2, layer.residual.norm_first, [&](const Rows& y) {
      return attention(layer.multihead_attn, y, memory, allows_memory);
    });
    x = residual(x, layer.norm3, layer.residual.norm_first,
                 [&](const Rows& y) { return feed_forward(y, layer.feed_forward); });
  }
  return stack.norm ? layer_norm(x, *stack.norm) : x;
}

/// Tokens to vectors, times √D, and the position: the paper's sines, or the learned table.
inline Rows embed(const attn::Embedding<double>& embedding,
                  const std::optional<attn::LearnedPosition<double>>& learned,
                  const attn::Tensor<Index, 2>& tokens) {
  const Index D = embedding.weight.value().shape()[1];
  Rows x({tokens.shape()[0], tokens.shape()[1], D});
  for (Index b = 0; b < tokens.shape()[0]; ++b)
    for (Index l = 0; l < tokens.shape()[1]; ++l)
      for (Index d = 0; d < D; ++d) {
        const double angle = double(l) / std::pow(10000.0, double(d / 2 * 2) / double(D));
        const double position = learned      ? learned->weight.value()(l, d)
                                : d % 2 == 0 ? std::sin(angle)
                                             : std::cos(angle);
        x(b, l, d) = embedding.weight.value()(tokens(b, l), d) * std::sqrt(double(D)) + position;
      }
  return x;
}

/// The logits of the whole model; sequence b of the source has lengths[b] tokens.
inline Rows transformer(const attn::Transformer<double>& model,
                        const attn::Tensor<Index, 2>& source, const attn::Tensor<Index, 2>& target,
                        const std::vector<Index>& lengths) {
  const Allows padding = [&](Index b, Index, Index, Index j) {
    return j < lengths[std::size_t(b)];
  };
  const auto& source_embedding =
      model.source_embedding ? *model.source_embedding : model.target_embedding;
  const Rows memory =
      encoder(embed(source_embedding, model.source_position, source), model.encoder, padding);
  const Rows x = decoder(
      embed(model.target_embedding, model.target_position, target), memory, model.decoder,
      [](Index, Index, Index i, Index j) { return j <= i; }, padding);
  if (model.output) return linear(x, *model.output);
  return projected(x, model.target_embedding.weight.value(), nullptr, 0,
                   model.options.target_vocabulary, 0);
}

}  // namespace plain

/// Parameters that hide nothing: no bias that is 0, no norm that is 1.
template <class Layer, class T>
void randomize(attn::Module<Layer, T>& layer, attn::Random& random, double deviation = 0.4) {
  for (const auto& p : layer.parameters())
    for (T& value : p.edit()) value = T(deviation * random.normal<double>());
}
