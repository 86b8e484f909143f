#pragma once

#include <attn/attn.hpp>
#include <attn/plot.hpp>

#include "date_letters.hpp"
#include "date_model.hpp"

/// Where each layer of a decoder looks in what the encoder read, (B, H, L, S) each, and the logits
/// that come of it.
struct CrossAttention {
  std::vector<attn::Tensor<float, 4>> weights;
  attn::Tensor<float, 3> logits;
};

/// The walk of model(source, target, rule) through the decoder's layers   [Vaswani17 §3.1], with
/// the weights of the attention in their middle. For sinusoidal positions and tied embeddings.
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

/// What the model writes for a date, and for each letter of that where it looked: (letters written,
/// letters read), the mean of the heads of the last layer.
struct DateMap {
  std::string read, written;
  attn::Tensor<float, 2> weights;
};
inline DateMap date_map(const DateModel& model, const std::string& text) {
  const std::string written = write_iso(model, {text}).front();
  const date_letters::Texts read({text});
  attn::Tensor<attn::Index, 2> target(
      {1, static_cast<attn::Index>(
              written.size())});  // each letter is written at the place of the one before it
  target.flat().setConstant(date_letters::start);
  if (!written.empty()) {
    const auto tokens = date_letters::encode(written);
    std::copy(tokens.begin(), tokens.end() - 1, target.data() + 1);
  }
  const CrossAttention looked = cross_attention(model, read.tokens, target, read.padding());
  const attn::Tensor<float, 4>& heads = looked.weights.back();
  attn::Tensor<float, 2> mean({heads.shape()[2], heads.shape()[3]});
  for (attn::Index h = 0; h < heads.shape()[1]; ++h)
    mean.flat() += heads[0][h].flat() / static_cast<float>(heads.shape()[1]);
  return {text, written, std::move(mean)};
}

/// The map as a picture: letters written down, letters read across.
inline attn::plot::HeatMap date_panel(const DateMap& map, const std::string& title) {
  const auto letters_of = [](const std::string& word) {
    std::vector<std::string> letters;
    for (const char letter : word) letters.emplace_back(1, letter);
    return letters;
  };
  return {.values = map.weights,
          .title = title,
          .row_labels = letters_of(map.written),
          .column_labels = letters_of(map.read),
          .row_title = "letter written",
          .column_title = "letter read",
          .range = attn::plot::Range{0, 1}};
}
