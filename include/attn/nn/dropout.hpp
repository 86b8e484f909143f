#pragma once

#include <attn/math/dropout.hpp>
#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// During training, sets each element to zero with probability p and multiplies the others by
/// 1 / (1 − p) [Srivastava14]: for variables whose tape has a Random. Elsewhere, and for tensors, y
/// = x. With p = 1 everything is zero, and so are the gradients. `dropout(x, rows)` drops of some
/// rows what it drops of them among all rows, see DropElements.
/// Errors: OptionError unless 0 ≤ p ≤ 1.
struct Dropout {
  double p = 0;

  explicit Dropout(double probability) : p(probability) {
    detail::expect_probability(p, "Dropout");
  }

  template <class X>
  auto operator()(X&& x, const RowPositions& rows = {}) const {
    return apply(DropElements{p, rows}, std::forward<X>(x));
  }
};

namespace detail {

/// The rows that dropout is drawn for, where x has the rows that a rule places.
template <Rule R>
RowPositions dropout_rows([[maybe_unused]] const R& rule) {
  if constexpr (PlacesRows<R>) return rule.rows_of_all();
  else return {};
}

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn
