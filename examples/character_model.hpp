#pragma once

#include <algorithm>
#include <attn/attn.hpp>
#include <attn/files/utf8.hpp>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

/// The characters of a text: the code points that occur in it, sorted. A token is an index into
/// them.
struct Characters {
  std::u32string all;

  explicit Characters(std::u32string text) : all(std::move(text)) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  attn::Index count() const { return static_cast<attn::Index>(all.size()); }

  /// Errors: std::invalid_argument that names a character which the text does not have.
  std::vector<attn::Index> encode(const std::u32string& text) const {
    std::vector<attn::Index> tokens;
    for (const char32_t character : text) {
      const auto at = std::lower_bound(all.begin(), all.end(), character);
      if (at == all.end() || *at != character)
        throw std::invalid_argument("the character \"" +
                                    attn::encode_utf8(std::u32string(1, character)) +
                                    "\" must occur in the training text");
      tokens.push_back(static_cast<attn::Index>(at - all.begin()));
    }
    return tokens;
  }
  std::string decode(const std::vector<attn::Index>& tokens) const {
    std::u32string text;
    for (const attn::Index token : tokens) text += all.at(static_cast<std::size_t>(token));
    return attn::encode_utf8(text);
  }
};

struct CharacterModelOptions {
  attn::Index vocabulary, width = 128, heads = 4, layers = 3;
  double dropout = 0.1;
};

/// A decoder-only transformer: from tokens (B, L) it computes the logits (B, L, V) of the character
/// that follows each of them   [Radford18]
class CharacterModel : public attn::Module<CharacterModel, float> {
 public:
  static constexpr const char* kind = "CharacterModel";
  attn::Embedding<float> characters;
  attn::Dropout dropout;
  attn::TransformerEncoder<float> layers;
  attn::Linear<float> output;

  CharacterModel(const CharacterModelOptions& o, attn::Random& random)
      : characters({.num_embeddings = o.vocabulary, .embedding_dim = o.width}, random),
        dropout(o.dropout),
        layers({.layer = {.d_model = o.width,
                          .nhead = o.heads,
                          .dim_feedforward = 4 * o.width,
                          .dropout = o.dropout,
                          .activation = attn::Activation::gelu,
                          .norm_first = true},
                .num_layers = o.layers,
                .final_norm = true},
               random),
        output({.in_features = o.width, .out_features = o.vocabulary}, random) {}

  /// `how` is a tape or Inference.
  template <class Self, class How>
  static auto forward(Self& self, How&& how, const attn::Tensor<attn::Index, 2>& tokens) {
    const attn::Tensor<float, 2> positions =
        attn::sinusoidal<float>(tokens.shape()[1], self.characters.weight.value().shape()[1]);
    const auto x = self.dropout(attn::add_to_each(self.characters(how, tokens), positions));
    return self.output(self.layers(x, attn::Causal{}));
  }
  template <class Self>
  static auto forward(Self& self, const attn::Tensor<attn::Index, 2>& tokens) {
    return forward(self, attn::Inference{}, tokens);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("characters", self.characters);
    visitor("layers", self.layers);
    visitor("output", self.output);
  }
};

/// Draws a token with the probabilities softmax(logits / temperature). At temperature 0 it is the
/// most likely one.
inline attn::Index draw(std::span<const float> logits, double temperature, attn::Random& random) {
  std::vector<double> weights = attn::log_probabilities(logits);
  const auto best = std::max_element(weights.begin(), weights.end()) - weights.begin();
  if (temperature == 0) return best;
  const double most = weights[static_cast<std::size_t>(best)];
  double sum = 0;
  for (double& weight : weights) {
    weight = std::exp((weight - most) / temperature);
    sum += weight;
  }
  double left = sum * random.uniform<double>();
  for (std::size_t token = 0; token < weights.size(); ++token) {
    left -= weights[token];
    if (left < 0) return static_cast<attn::Index>(token);
  }
  return best;
}

/// How a text is continued: by `count` tokens, each of which depends on the `context` tokens before
/// it.
struct Sampling {
  attn::Index count, context;
  double temperature;
};

/// The tokens, of which there is at least one, and those that the model draws after them.
inline std::vector<attn::Index> continue_text(const CharacterModel& model,
                                              std::vector<attn::Index> tokens,
                                              const Sampling& sampling, attn::Random& random) {
  for (attn::Index i = 0; i < sampling.count; ++i) {
    const attn::Index length = std::min(sampling.context, static_cast<attn::Index>(tokens.size()));
    attn::Tensor<attn::Index, 2> last({1, length});
    std::copy(tokens.end() - length, tokens.end(), last.data());
    const attn::Tensor<float, 3> logits = model(last);
    const auto next = logits[0][length - 1];
    const std::span<const float> values(next.data(), static_cast<std::size_t>(next.size()));
    tokens.push_back(draw(values, sampling.temperature, random));
  }
  return tokens;
}
