#pragma once

#include <attn/core/tensor.hpp>
#include <span>

namespace attn::inline ATTN_ABI {

/// The gradient of something, whatever its number of axes.
template <class T>
class AnyGradient {
 public:
  virtual ~AnyGradient() = default;
  /// Whether nothing has arrived: then it is 0, and takes no memory.
  virtual bool empty() const = 0;
  /// The numbers in row-major order; of an empty gradient, zeros that are made now.
  virtual std::span<T> values() = 0;
  /// Nothing has arrived.
  virtual void clear() = 0;

 protected:
  AnyGradient() = default;
  AnyGradient(const AnyGradient&) = default;
  AnyGradient& operator=(const AnyGradient&) = default;
};

/// dL/dx of a tensor x, what a number L changes by with each of x's elements. It has memory from the first that arrives; what arrives is added.
template <class T, int N>
class Gradient final : public AnyGradient<T> {
 public:
  Gradient() = default;
  explicit Gradient(const Shape<N>& shape) : shape_(shape) {}

  const Shape<N>& shape() const { return shape_; }
  bool empty() const override { return !arrived_; }
  void clear() override { value_ = {}, arrived_ = false; }
  std::span<T> values() override {
    Tensor<T, N>& all = sum();
    return {all.data(), static_cast<std::size_t>(all.size())};
  }

  /// To be added to, in place.
  Tensor<T, N>& sum() {
    if (!std::exchange(arrived_, true)) value_ = Tensor<T, N>(shape_);
    return value_;
  }
  void add(Tensor<T, N> dx) {
    if (!std::exchange(arrived_, true)) value_ = std::move(dx);
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

}  // namespace attn::inline ATTN_ABI
