#pragma once

#include <attn/nn/multi_head_attention.hpp>
#include <utility>

#include "support/plain_attention.hpp"

/// x Wᵀ + b with the rows begin … begin + rows of W and b, in plain loops and double.
template <class T>
attn::Tensor<double, 3> projected(const attn::Tensor<T, 3>& x, const attn::Tensor<T, 2>& weight,
                                  const std::type_identity_t<attn::Tensor<T, 1>>* bias,
                                  attn::Index begin, attn::Index rows, attn::Index bias_begin) {
  attn::Tensor<double, 3> y({x.shape()[0], x.shape()[1], rows});
  for (attn::Index b = 0; b < y.shape()[0]; ++b)
    for (attn::Index l = 0; l < y.shape()[1]; ++l)
      for (attn::Index r = 0; r < rows; ++r) {
        y(b, l, r) = bias ? double((*bias)(bias_begin + r)) : 0;
        for (attn::Index i = 0; i < x.shape()[2]; ++i)
          y(b, l, r) += double(x(b, l, i)) * double(weight(begin + r, i));
      }
  return y;
}

/// Columns h·E … of (B, L, heads·E), as (B, heads, L, E).
inline attn::Tensor<double, 4> by_head(const attn::Tensor<double, 3>& x, attn::Index heads) {
  const attn::Index E = x.shape()[2] / heads;
  attn::Tensor<double, 4> y({x.shape()[0], heads, x.shape()[1], E});
  for (attn::Index i = 0; i < x.size(); ++i) {
    const attn::Index d = i % x.shape()[2], l = i / x.shape()[2] % x.shape()[1],
                      b = i / x.shape()[2] / x.shape()[1];
    y(b, d / E, l, d % E) = x.data()[i];
  }
  return y;
}

/// The paper's formula from the layer's own parameters: heads one by one, concatenated, projected.
template <class T>
std::pair<attn::Tensor<double, 3>, attn::Tensor<double, 4>> plain_multi_head(
    const attn::MultiHeadAttention<T>& layer, const attn::Tensor<T, 3>& query,
    const attn::Tensor<T, 3>& key, const attn::Tensor<T, 3>& value, PlainAttention plain = {}) {
  const attn::MultiHeadAttentionOptions& o = layer.options;
  const attn::Index H = o.num_heads, G = o.num_kv_heads.value_or(H),
                    d_k = o.d_k.value_or(o.embed_dim / H), d_v = o.d_v.value_or(o.embed_dim / H);
  const attn::Tensor<T, 1>* bias = layer.in_proj_bias ? &layer.in_proj_bias->value() : nullptr;
  const bool packed = layer.in_proj_weight.has_value();
  const auto weight = [&](const auto& own) -> const attn::Tensor<T, 2>& {
    return packed ? layer.in_proj_weight->value() : own->value();
  };
  const auto q = projected(query, weight(layer.q_proj_weight), bias, 0, H * d_k, 0);
  const auto k =
      projected(key, weight(layer.k_proj_weight), bias, packed ? H * d_k : 0, G * d_k, H * d_k);
  const auto v = projected(value, weight(layer.v_proj_weight), bias, packed ? (H + G) * d_k : 0,
                           G * d_v, (H + G) * d_k);
  plain.run(by_head(q, H), by_head(k, G), by_head(v, G), 1 / std::sqrt(double(d_k)));
  attn::Tensor<T, 3> concatenated({query.shape()[0], query.shape()[1], H * d_v});
  for (attn::Index b = 0; b < query.shape()[0]; ++b)
    for (attn::Index l = 0; l < query.shape()[1]; ++l)
      for (attn::Index d = 0; d < H * d_v; ++d)
        concatenated(b, l, d) = T(plain.output(b, d / d_v, l, d % d_v));
  return {
      projected(concatenated, layer.out_proj.weight.value(),
                layer.out_proj.bias ? &layer.out_proj.bias->value() : nullptr, 0, o.embed_dim, 0),
      plain.weights};
}
