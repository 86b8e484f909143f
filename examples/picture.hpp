#pragma once

#include <attn/attn.hpp>
#include <attn/plot.hpp>
#include <map>
#include <string>
#include <vector>

/// (1, L, D): for each word a random vector, the same wherever the word occurs, plus the encoding
/// of its position.
inline attn::Tensor<float, 3> embedded(const std::vector<std::string>& words, attn::Index d_model,
                                       attn::Random& random) {
  const attn::Index L = static_cast<attn::Index>(words.size());
  const attn::Tensor<float, 2> positions = attn::sinusoidal<float>(L, d_model);
  attn::Tensor<float, 3> x({1, L, d_model});
  std::map<std::string, attn::Tensor<float, 1>> embedding;
  for (attn::Index i = 0; i < L; ++i) {
    const auto [at, is_new] =
        embedding.try_emplace(words[static_cast<std::size_t>(i)], attn::Shape<1>{d_model});
    if (is_new) random.normal(at->second, 0, 0.5);
    x.matrix(0).row(i) = at->second.flat().transpose() + positions.matrix().row(i);
  }
  return x;
}

/// What each word of a sentence attends to: scaled dot-product attention of the embedded words,
/// every head of a multi-head layer, a head of the same layer under a causal mask, and the
/// positional encoding of the words.
inline attn::plot::Figure picture(const std::vector<std::string>& words, attn::Index heads,
                                  std::uint64_t seed) {
  using namespace attn::plot;
  const attn::Index d_model = 16 * heads, L = static_cast<attn::Index>(words.size());
  attn::Random random{seed};
  const attn::Tensor<float, 3> x = embedded(words, d_model, random);
  const attn::SelfAttention<float> layer({.embed_dim = d_model, .num_heads = heads}, random);

  const auto map = [&](const auto& weights, const std::string& title) {
    HeatMap panel{.values = weights,
                  .title = title,
                  .row_labels = words,
                  .column_labels = words,
                  .row_title = "query",
                  .column_title = "key"};
    panel.range = Range{0, std::max(1e-6, double(panel.values.maxCoeff()))};
    return panel;
  };
  Figure figure{.title = "What each word attends to"};
  figure.panels.push_back(
      map(attn::ScaledDotProductAttention{}.with_weights(x[0], x[0], x[0]).weights,
          "Scaled dot-product attention"));
  const attn::Tensor<float, 4> weights = layer.with_weights(x).weights;
  const attn::Tensor<float, 4> causal = layer.with_weights(x, attn::Causal{}).weights;
  for (attn::Index h = 0; h < heads; ++h)
    figure.panels.push_back(
        map(weights[0][h], "Multi-head attention, head " + std::to_string(h + 1)));
  figure.panels.push_back(map(causal[0][0], "Causal self-attention, head 1"));
  figure.panels.push_back(HeatMap{.values = attn::sinusoidal<float>(L, d_model),
                                  .title = "Positional encoding",
                                  .row_labels = words,
                                  .row_title = "position",
                                  .column_title = "dimension",
                                  .color_map = ColorMap::coolwarm,
                                  .range = Range{-1, 1}});
  return figure;
}
