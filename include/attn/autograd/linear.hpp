#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/math/linear.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Rows `begin` … `end` − 1 of a weight or a bias.
template <class T, int N>
struct RowsOf {
  Variable<T, N> of;
  Index begin, end;

  TensorView<const T, N> value() const { return of.value().slice(0, begin, end); }
  bool needs_gradient() const { return of.needs_gradient(); }
};

/// y = x Wᵀ + b, with rows of W (out, in) and of b (out), or without b.
template <class T, int N>
Variable<T, N> linear(const Variable<T, N>& x, const RowsOf<T, 2>& W,
                      const std::type_identity_t<std::optional<RowsOf<T, 1>>>& b) {
  const auto back = [x = W.needs_gradient() ? x.kept() : nullptr, dx = x.gradient(), W,
                     b](Tensor<T, N> dy) {
    if (W.needs_gradient()) {
      Gradient<T, 2>& dW = *W.of.gradient();
      const bool whole = W.end - W.begin == dW.shape()[0], add = !dW.empty() || !whole;
      linear_backward_weight(dy, *x, add,
                             (add ? dW.sum() : dW.overwrite()).slice(0, W.begin, W.end));
    }
    if (b && b->needs_gradient())
      linear_backward_bias(dy, b->of.gradient()->sum().slice(0, b->begin, b->end));
    if (dx) dx->add(linear_backward_input(dy, W.value()));
  };
  std::optional<TensorView<const T, 1>> bias;
  if (b) bias = b->value();
  auto y = linear(x.value().view(), W.value(), bias);
  return x.tape().record(std::move(y), back, x, W.of, b ? std::optional(b->of) : std::nullopt);
}

}  // namespace ATTN_ABI
}  // namespace attn
