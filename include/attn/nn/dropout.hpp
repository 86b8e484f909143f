#pragma once

#include <attn/math/dropout.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// During training, sets each element to zero with probability p and multiplies the others by
/// 1 / (1 − p) [Srivastava14]: for variables whose tape has a Random. Elsewhere, and for tensors, y
/// = x. With p = 1 everything is zero, and so are the gradients.
/// Errors: OptionError unless 0 ≤ p ≤ 1.
struct Dropout {
  double p = 0;

  explicit Dropout(double probability) : p(probability) {
    detail::expect_probability(p, "Dropout");
  }

  template <class X>
  auto operator()(X&& x) const {
    return apply(DropElements{p}, std::forward<X>(x));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
