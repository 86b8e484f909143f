#pragma once

#include <attn/core/tensor.hpp>
#include <attn/nn/option.hpp>

namespace attn::inline ATTN_ABI {

/// Drops numbers with probability p where a model is trained [Srivastava14]. A plain tensor means inference: it passes as it is.
/// Errors: OptionError unless 0 ≤ p < 1.
struct Dropout {
  double p = 0;

  explicit Dropout(double probability) : p(probability) { expect_option(p >= 0 && p < 1, "Dropout", "dropout", p, "at least 0 and below 1"); }

  template <class T, int N>
  Tensor<T, N> operator()(Tensor<T, N> x) const {
    return x;
  }
};

}  // namespace attn::inline ATTN_ABI
