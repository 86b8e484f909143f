#pragma once

#include <attn/core/tensor.hpp>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// The gradient of a tensor of any rank.
template <class T>
class AnyGradient {
 public:
  virtual ~AnyGradient() = default;
  /// True if nothing has been accumulated; the gradient is then zero.
  virtual bool empty() const = 0;
  /// The elements in row-major order. An empty gradient is filled with zeros first.
  virtual std::span<T> values() = 0;
  /// Resets the gradient to empty. Its memory is kept for the next backward pass.
  virtual void clear() = 0;

 protected:
  AnyGradient() = default;
  AnyGradient(const AnyGradient&) = default;
  AnyGradient& operator=(const AnyGradient&) = default;
};

/// Where a backward pass writes a gradient: `to`, which is added to if `add` is true, and of which
/// every element is to be overwritten otherwise.
template <class T, int N>
struct GradientTarget {
  TensorView<T, N> to;
  bool add;
};

/// dL/dx of a tensor x: the derivative of a scalar L by each element of x. Contributions are
/// accumulated. No memory is allocated before the first of them.
template <class T, int N>
class Gradient final : public AnyGradient<T> {
 public:
  Gradient() = default;
  explicit Gradient(const Shape<N>& shape) : shape_(shape) {}

  const Shape<N>& shape() const { return shape_; }
  bool empty() const override { return empty_; }
  void clear() override { empty_ = true; }
  std::span<T> values() override {
    Tensor<T, N>& all = sum();
    return {all.data(), static_cast<std::size_t>(all.size())};
  }

  /// The accumulated gradient, which may be added to in place.
  Tensor<T, N>& sum() {
    if (empty_) overwrite().flat().setZero();
    return value_;
  }
  /// Memory whose every element the caller overwrites. What was accumulated is discarded.
  Tensor<T, N>& overwrite() {
    if (value_.shape() != shape_) value_ = Tensor<T, N>::for_overwrite(shape_);
    empty_ = false;
    return value_;
  }
  /// Adds dx. Errors: ShapeError if its shape is not that of x.
  void add(Tensor<T, N> dx) {
    if (dx.shape() != shape_)
      throw ShapeError("Gradient: the gradient " + to_string(dx.shape()) +
                       " must have the shape of its tensor, " + to_string(shape_));
    if (empty_) value_ = std::move(dx);
    else value_.flat() += dx.flat();
    empty_ = false;
  }
  /// Moves the accumulated gradient out, and leaves it empty.
  Tensor<T, N> take() {
    Tensor<T, N> dx = std::move(sum());
    clear();
    return dx;
  }

 private:
  Shape<N> shape_{};
  Tensor<T, N> value_;
  bool empty_ = true;
};

}  // namespace ATTN_ABI
}  // namespace attn
