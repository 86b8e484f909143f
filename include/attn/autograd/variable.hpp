#pragma once

#include <attn/autograd/gradient.hpp>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {
class AnyTape;
}

/// A tensor whose use a tape records. Copies are handles of the same variable, as copies of a
/// pointer are. No operation can be applied to it after its tape has ended; its value and gradient
/// can still be read.
template <class T, int N>
class Variable {
 public:
  using Scalar = T;
  static constexpr int axes = N;

  const Tensor<T, N>& value() const { return *value_; }
  const Shape<N>& shape() const { return value_->shape(); }

  /// dL/dx after `tape.backward`: zero if L does not depend on x. The gradient of an intermediate
  /// result is available if the variable existed while backward ran.
  /// Errors: Error if it is a constant.
  const Tensor<T, N>& grad() const {
    if (!gradient_)
      throw Error("Variable: a constant " + to_string(shape()) +
                  " has no gradient; use tape.variable to create a variable that has one");
    return gradient_->sum();
  }
  bool needs_gradient() const { return gradient_ != nullptr; }
  /// The value and the gradient with shared ownership; the gradient of a constant is null.
  const std::shared_ptr<const Tensor<T, N>>& shared_value() const { return value_; }
  const std::shared_ptr<Gradient<T, N>>& shared_gradient() const { return gradient_; }

 private:
  friend class detail::AnyTape;
  Variable(std::shared_ptr<detail::AnyTape* const> tape, std::shared_ptr<const Tensor<T, N>> value,
           std::shared_ptr<Gradient<T, N>> gradient, Index step)
      : tape_(std::move(tape)),
        value_(std::move(value)),
        gradient_(std::move(gradient)),
        step_(step) {}

  std::shared_ptr<detail::AnyTape* const> tape_;  // points to null when the tape has ended
  std::shared_ptr<const Tensor<T, N>> value_;
  std::shared_ptr<Gradient<T, N>> gradient_;
  Index step_;  // the step of the tape that computed it; −1 if no step did
};

template <class X>
inline constexpr bool is_variable = false;
template <class T, int N>
inline constexpr bool is_variable<Variable<T, N>> = true;
template <class... X>
concept AnyVariable = (is_variable<std::remove_cvref_t<X>> || ...);

namespace detail {

template <class X>
inline constexpr bool is_tensor = false;
template <class T, int N>
inline constexpr bool is_tensor<Tensor<T, N>> = true;
template <class T, int N>
inline constexpr bool is_tensor<TensorView<T, N>> = true;

}  // namespace detail

/// A tensor, a view of one, or a variable: what functions such as `exp` and `matmul` take.
template <class X>
concept TensorOrVariable =
    detail::is_tensor<std::remove_cvref_t<X>> || is_variable<std::remove_cvref_t<X>>;

}  // namespace ATTN_ABI
}  // namespace attn
