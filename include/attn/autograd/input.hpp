#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/autograd/variable.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// An input of a recorded operation: the value that `forward` got, and where `backward` accumulates
/// its gradient.
template <class T, int N>
class Input {
 public:
  static constexpr int axes = N;

  Input(std::shared_ptr<const Tensor<T, N>> value, std::shared_ptr<Gradient<T, N>> gradient)
      : shape_(value->shape()), value_(std::move(value)), gradient_(std::move(gradient)) {}

  const Shape<N>& shape() const { return shape_; }
  /// In `backward`, the value is there unless the operation said that it does not keep it.
  const Tensor<T, N>& value() const {
    ATTN_ASSERT(value_);
    return *value_;
  }
  const std::shared_ptr<const Tensor<T, N>>& shared_value() const { return value_; }
  /// Constants, tensors, and the parameters of const layers need none.
  bool needs_gradient() const { return gradient_ != nullptr; }

  /// Accumulates dx; does nothing if no gradient is needed.
  void add(Tensor<T, N> dx) const {
    if (gradient_) gradient_->add(std::move(dx));
  }
  /// The accumulated gradient, to be added to in place. A gradient must be needed.
  TensorView<T, N> sum() const { return gradient_->sum(); }
  /// Where to write the gradient without an intermediate copy. A gradient must be needed.
  GradientTarget<T, N> target() const {
    if (gradient_->empty()) return {gradient_->overwrite(), false};
    return {gradient_->sum(), true};
  }

  /// Releases the value, of which backward has no use.
  void release() { value_.reset(); }

 private:
  Shape<N> shape_;
  std::shared_ptr<const Tensor<T, N>> value_;
  std::shared_ptr<Gradient<T, N>> gradient_;
};

/// Rows of a parameter as an input of a recorded operation.
template <class T, int N>
class InputRows {
 public:
  static constexpr int axes = N;

  InputRows(Input<T, N> whole, Range range) : whole_(std::move(whole)), range_(range) {}

  TensorView<const T, N> value() const { return whole_.value().slice(0, range_.begin, range_.end); }
  Shape<N> shape() const {
    Shape<N> shape = whole_.shape();
    shape[0] = range_.size();
    return shape;
  }
  bool needs_gradient() const { return whole_.needs_gradient(); }
  void add(const Tensor<T, N>& dx) const {
    if (!needs_gradient()) return;
    const TensorView<T, N> to = sum();
    to.flat() += dx.flat();
  }
  TensorView<T, N> sum() const { return whole_.sum().slice(0, range_.begin, range_.end); }
  GradientTarget<T, N> target() const {
    if (range_.size() == whole_.shape()[0]) return whole_.target();
    return {sum(), true};
  }
  void release() { whole_.release(); }

 private:
  Input<T, N> whole_;
  Range range_;
};

}  // namespace ATTN_ABI
}  // namespace attn
