#pragma once

#include <algorithm>
#include <attn/attn.hpp>
#include <attn/files/utf8.hpp>
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
  attn::Index vocabulary, width = 128, heads = 4, layers = 3, context = 128;
  double dropout = 0.1;

  /// A Llama whose characters each attend to the `context` characters before them, so that a text
  /// may become as long as anybody likes.
  attn::LanguageModelOptions model() const {
    constexpr attn::Index longest = 1'000'000;
    attn::LanguageModelOptions options = attn::llama({.vocabulary = vocabulary,
                                                      .d_model = width,
                                                      .nhead = heads,
                                                      .dim_feedforward = 8 * width / 3,
                                                      .num_layers = layers,
                                                      .max_length = longest});
    options.layer.dropout = dropout;
    options.sliding_window = context;
    return options;
  }
};
