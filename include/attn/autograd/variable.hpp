#pragma once

#include <attn/autograd/gradient.hpp>
#include <attn/core/tensor.hpp>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

template <class T>
class Tape;

/// A tensor whose use a tape records. Like a pointer it is copied freely: copies are the same
/// variable. It must not be computed with after its tape is gone; its value and gradient may still
/// be read.
template <class T, int N>
class Variable {
 public:
  using Scalar = T;

  const Tensor<T, N>& value() const { return *value_; }
  const Shape<N>& shape() const { return value_->shape(); }

  /// dL/dx, once `tape.backward` has run: zero where L does not depend on x. Of what was computed
  /// on the way it is kept as long as the variable was there when backward ran. Errors: Error if it
  /// is a constant.
  const Tensor<T, N>& grad() const {
    if (!gradient_)
      throw Error("Variable: a constant " + to_string(shape()) +
                  " has no gradient; tape.variable makes one that has");
    return gradient_->sum();
  }
  bool needs_gradient() const { return gradient_ != nullptr; }
  Tape<T>& tape() const { return *tape_; }

  /// For who writes an operation (Tape::record): the value, to be kept for backward, and where
  /// dL/dx goes; null where it is not needed.
  const std::shared_ptr<const Tensor<T, N>>& kept() const { return value_; }
  const std::shared_ptr<Gradient<T, N>>& gradient() const { return gradient_; }

 private:
  friend class Tape<T>;
  Variable(Tape<T>* tape, std::shared_ptr<const Tensor<T, N>> value,
           std::shared_ptr<Gradient<T, N>> gradient, Index step = -1)
      : tape_(tape), value_(std::move(value)), gradient_(std::move(gradient)), step_(step) {}

  Tape<T>* tape_;
  std::shared_ptr<const Tensor<T, N>> value_;
  std::shared_ptr<Gradient<T, N>> gradient_;
  Index step_;  // of the tape's steps the one that computed it
};

/// Where a tensor is wanted, a variable is as good.
template <class T, int N>
const Variable<T, N>& to_tensor(const Variable<T, N>& x) {
  return x;
}

template <class X>
inline constexpr bool is_variable = false;
template <class T, int N>
inline constexpr bool is_variable<Variable<T, N>> = true;
template <class... X>
concept AnyVariable = (is_variable<X> || ...);

}  // namespace ATTN_ABI
}  // namespace attn
