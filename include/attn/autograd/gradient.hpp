#pragma once

#include <attn/core/tensor.hpp>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// The gradient of something, whatever its number of axes.
template <class T>
class AnyGradient {
 public:
  virtual ~AnyGradient() = default;
  /// Whether nothing has arrived: then it is 0.
  virtual bool empty() const = 0;
  /// The numbers in row-major order; of an empty gradient, zeros that are made now.
  virtual std::span<T> values() = 0;
  /// Nothing has arrived. The memory is kept for what will.
  virtual void clear() = 0;

 protected:
  AnyGradient() = default;
  AnyGradient(const AnyGradient&) = default;
  AnyGradient& operator=(const AnyGradient&) = default;
};

/// dL/dx of a tensor x: what a number L changes by with each of x's elements. What arrives is
/// added; before the first it has no memory.
template <class T, int N>
class Gradient final : public AnyGradient<T> {
 public:
  Gradient() = default;
  explicit Gradient(const Shape<N>& shape) : shape_(shape) {}

  const Shape<N>& shape() const { return shape_; }
  bool empty() const override { return !arrived_; }
  void clear() override { arrived_ = false; }
  std::span<T> values() override {
    Tensor<T, N>& all = sum();
    return {all.data(), static_cast<std::size_t>(all.size())};
  }

  /// What has arrived, to be added to in place.
  Tensor<T, N>& sum() {
    if (!arrived_) overwrite().flat().setZero();
    return value_;
  }
  /// Memory for who writes every number of it, whatever had arrived.
  Tensor<T, N>& overwrite() {
    if (value_.shape() != shape_) value_ = Tensor<T, N>::for_overwrite(shape_);
    arrived_ = true;
    return value_;
  }
  /// Errors: ShapeError for another shape than that of x.
  void add(Tensor<T, N> dx) {
    if (dx.shape() != shape_)
      throw ShapeError("Gradient: what is added " + to_string(dx.shape()) +
                       " must have the shape of what it is the gradient of, " + to_string(shape_));
    if (empty()) value_ = std::move(dx), arrived_ = true;
    else value_.flat() += dx.flat();
  }
  /// What has arrived, given away.
  Tensor<T, N> take() {
    Tensor<T, N> dx = std::move(sum());
    clear();
    return dx;
  }

 private:
  Shape<N> shape_{};
  Tensor<T, N> value_;
  bool arrived_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
