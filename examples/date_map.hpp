#pragma once

#include <algorithm>
#include <attn/plot.hpp>
#include <string>

#include "cross_attention.hpp"
#include "date_letters.hpp"
#include "date_model.hpp"

/// What the model writes for a date, and the weights (letters written, letters read) with which the
/// last layer attends to it, as the mean of its heads.
struct DateMap {
  std::string read, written;
  attn::Tensor<float, 2> weights;
};
inline DateMap date_map(const DateModel& model, const std::string& text) {
  const std::string written = write_iso(model, {text}).front();
  const date_letters::Texts read({text});
  // The input of the decoder: each letter is written at the position of the one before it.
  attn::Tensor<attn::Index, 2> target({1, static_cast<attn::Index>(written.size())});
  target.flat().setConstant(date_letters::start);
  if (!written.empty()) {
    const auto tokens = date_letters::encode(written);
    std::copy(tokens.begin(), tokens.end() - 1, target.data() + 1);
  }
  const CrossAttention attention = cross_attention(model, read.tokens, target, read.padding());
  const attn::Tensor<float, 4>& heads = attention.weights.back();
  attn::Tensor<float, 2> mean({heads.shape()[2], heads.shape()[3]});
  for (attn::Index h = 0; h < heads.shape()[1]; ++h)
    mean.flat() += heads[0][h].flat() / static_cast<float>(heads.shape()[1]);
  return {text, written, std::move(mean)};
}

/// The map as a panel: the letters written down, the letters read across.
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
