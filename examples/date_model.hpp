#pragma once

#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>
#include <filesystem>

#include "date_letters.hpp"

/// The model of the paper, with 120,000 parameters. Its decoder has a single layer, so that one
/// map shows all that the output attends to in the input.
using DateModel = attn::Transformer<float>;

inline attn::TransformerOptions date_model_options() {
  return {.source_vocabulary = date_letters::vocabulary,
          .target_vocabulary = date_letters::vocabulary,
          .layer = {.d_model = 64, .nhead = 4, .dim_feedforward = 128, .dropout = 0},
          .num_encoder_layers = 2,
          .num_decoder_layers = 1,
          .share_embeddings = true,
          .tie_embeddings = true};
}

/// Loads a model that train_dates saved, in float16.
/// Errors: FileError if the file is not safetensors; ShapeError that names each parameter that is
/// missing, unexpected or of another shape.
inline DateModel load_date_model(const std::filesystem::path& path) {
  DateModel model(date_model_options());
  model.load_state_dict(attn::load_safetensors(path));
  return model;
}

/// What the model writes for each text, at most 10 letters.
inline std::vector<std::string> write_iso(const DateModel& model,
                                          const std::vector<std::string>& texts) {
  std::vector<std::string> written;
  for (std::size_t begin = 0; begin < texts.size(); begin += 256) {
    const std::size_t end = std::min(begin + 256, texts.size());
    const date_letters::Texts batch({texts.begin() + static_cast<std::ptrdiff_t>(begin),
                                     texts.begin() + static_cast<std::ptrdiff_t>(end)});
    const attn::Tensor<attn::Index, 2> tokens =
        model.generate(batch.tokens, batch.padding(),
                       {.start = date_letters::start,
                        .end = date_letters::end,
                        .max_length = date_letters::iso_length + 1});
    for (attn::Index b = 0; b < tokens.shape()[0]; ++b)
      written.push_back(date_letters::decode(tokens[b].data(), tokens.shape()[1]));
  }
  return written;
}
