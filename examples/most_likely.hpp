#pragma once

#include <attn/core/tensor.hpp>

/// The token with the largest of the logits (B, L, V) at each position, (B, L).
inline attn::Tensor<attn::Index, 2> most_likely(const attn::Tensor<float, 3>& logits) {
  attn::Tensor<attn::Index, 2> tokens({logits.shape()[0], logits.shape()[1]});
  const auto rows = logits.as_rows();
  for (attn::Index i = 0; i < tokens.size(); ++i) rows.row(i).maxCoeff(tokens.data() + i);
  return tokens;
}
