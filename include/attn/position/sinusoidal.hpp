#pragma once

#include <attn/core/tensor.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// PE(pos, 2i) = sin(pos / 10000^(2i/d_model)), PE(pos, 2i+1) = cos(pos /
/// 10000^(2i/d_model))   [Vaswani17 §3.5] for pos = offset … offset + length − 1: (length,
/// d_model). Computed in double, then rounded to T.
/// Errors: OptionError if d_model < 1; ShapeError if length is negative.
template <class T>
Tensor<T, 2> sinusoidal(Index length, Index d_model, Index offset = 0) {
  if (d_model < 1)
    throw OptionError("sinusoidal: d_model = " + std::to_string(d_model) + " must be at least 1");
  Tensor<T, 2> encoding({length, d_model});
  for (Index column = 0; column < d_model; ++column) {
    const double wavelength =
        std::pow(10000.0, static_cast<double>(column - column % 2) / static_cast<double>(d_model));
    for (Index pos = 0; pos < length; ++pos) {
      const double angle = static_cast<double>(offset + pos) / wavelength;
      encoding(pos, column) = static_cast<T>(column % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return encoding;
}

}  // namespace ATTN_ABI
}  // namespace attn
