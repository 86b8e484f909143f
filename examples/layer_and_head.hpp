#pragma once

#include <attn/core/config.hpp>
#include <charconv>
#include <stdexcept>
#include <string>

/// A head of a layer, both counted from 0.
struct LayerAndHead {
  std::size_t layer;
  attn::Index head;
};

/// Parses "LAYER,HEAD", the argument of --attention. Errors: std::invalid_argument if it is not two
/// integers, or the model has not so many.
inline LayerAndHead layer_and_head(const std::string& text, attn::Index layers, attn::Index heads) {
  attn::Index layer = -1, head = -1;
  const char* const end = text.data() + text.size();
  const char* const comma = std::from_chars(text.data(), end, layer).ptr;
  const bool read =
      comma != end && *comma == ',' && std::from_chars(comma + 1, end, head).ptr == end;
  if (!read || layer < 0 || layer >= layers || head < 0 || head >= heads)
    throw std::invalid_argument(
        "--attention = \"" + text + "\" must be LAYER,HEAD, a layer from 0 to " +
        std::to_string(layers - 1) + " and a head from 0 to " + std::to_string(heads - 1));
  return {static_cast<std::size_t>(layer), head};
}
