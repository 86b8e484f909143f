#pragma once

#include <attn/autograd/elementwise.hpp>
#include <attn/core/option.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Drops each number with probability p, and multiplies those that stay by 1 / (1 − p), where a
/// model is trained [Srivastava14]: of a variable whose tape has a Random. A plain tensor means
/// inference: it passes as it is.
/// Errors: OptionError unless 0 ≤ p < 1.
struct Dropout {
  double p = 0;

  explicit Dropout(double probability) : p(probability) {
    expect_option(p >= 0 && p < 1, "Dropout", "dropout", p, "at least 0 and below 1");
  }

  template <class T, int N>
  Tensor<T, N> operator()(Tensor<T, N> x) const {
    return x;
  }
  template <class T, int N>
  Variable<T, N> operator()(const Variable<T, N>& x) const {
    return drop(x, p);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
