#pragma once

#include <algorithm>
#include <attn/attn.hpp>
#include <attn/files/utf8.hpp>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

/// The characters of a text, each code point that occurs in it, sorted: tokens are their places.
struct Characters {
  std::u32string all;

  explicit Characters(std::u32string text) : all(std::move(text)) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }
  attn::Index count() const { return static_cast<attn::Index>(all.size()); }

  /// Errors: std::invalid_argument naming a character that the text has not.
  std::vector<attn::Index> encode(const std::u32string& text) const {
    std::vector<attn::Index> tokens;
    for (const char32_t character : text) {
      const auto at = std::lower_bound(all.begin(), all.end(), character);
      if (at == all.end() || *at != character)
        throw std::invalid_argument("the character \"" +
                                    attn::plot::encode_utf8(std::u32string(1, character)) +
                                    "\" must be one of the text that is learnt from");
      tokens.push_back(static_cast<attn::Index>(at - all.begin()));
    }
    return tokens;
  }
  std::string decode(const std::vector<attn::Index>& tokens) const {
    std::u32string text;
    for (const attn::Index token : tokens) text += all.at(static_cast<std::size_t>(token));
    return attn::plot::encode_utf8(text);
  }
};

struct CharacterModelOptions {
  attn::Index vocabulary, width = 128, heads = 4, layers = 3;
  double dropout = 0.1;
};

/// A decoder by itself: tokens (B, L) give the logits (B, L, V) of the character after
/// each   [Radford18]
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

  /// `how` is a tape, or Inference.
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

/// One of the tokens, drawn with probability softmax(logits / temperature); at temperature 0 the
/// most likely.
inline attn::Index draw(std::span<const float> logits, double temperature, attn::Random& random) {
  std::vector<double> chances = attn::log_probabilities(logits);
  const auto best = std::max_element(chances.begin(), chances.end());
  if (temperature == 0) return best - chances.begin();
  double sum = 0;
  const double most = *best;
  for (double& chance : chances) sum += chance = std::exp((chance - most) / temperature);
  double left = sum * random.uniform<double>();
  for (std::size_t token = 0; token < chances.size(); ++token)
    if ((left -= chances[token]) < 0) return static_cast<attn::Index>(token);
  return best - chances.begin();
}

/// So many tokens after a beginning, which must not be empty; each from the `context` before it.
inline std::vector<attn::Index> continued(const CharacterModel& model,
                                          std::vector<attn::Index> tokens, attn::Index count,
                                          attn::Index context, double temperature,
                                          attn::Random& random) {
  for (attn::Index i = 0; i < count; ++i) {
    const attn::Index length = std::min(context, static_cast<attn::Index>(tokens.size()));
    attn::Tensor<attn::Index, 2> last({1, length});
    std::copy(tokens.end() - length, tokens.end(), last.data());
    const attn::Tensor<float, 3> logits = model(last);
    const auto next = logits[0][length - 1];
    tokens.push_back(
        draw(std::span(next.data(), static_cast<std::size_t>(next.size())), temperature, random));
  }
  return tokens;
}
