#pragma once

#include <attn/attention/operand.hpp>
#include <attn/math/rearrange.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// An argument of a layer as a batch of sequences: `get()` is (B, L, D), of one sequence where the
/// batch axis was left out, and `finish` gives a result (B, L, D) the argument's kind.
template <class X>
class Sequences;

/// Tensors, views, and Eigen expressions.
template <class X>
  requires Operands<X>
class Sequences<X> {
 public:
  explicit Sequences(const X& x) : operand_(x) {}

  /// With an axis before the batch, whose extent should be 1.
  Shape<4> shape() const { return operand_.heads().shape(); }
  auto get() const { return TensorView<const typename Operand<X>::Scalar, 4>(operand_.heads())[0]; }

  template <class T>
  auto finish(Tensor<T, 3>&& y) const {
    const auto [B, L, D] = y.shape();
    return Operand<X>::finish(std::move(y).reshape({1, B, L, D}));
  }
  /// Other arguments were recorded.
  template <class T>
  Variable<T, 3> finish(const Variable<T, 3>& y) const {
    return y;
  }

 private:
  Operand<X> operand_;
};

template <class T, int N>
class Sequences<Variable<T, N>> {
  static_assert(N == 2 || N == 3, "a layer takes variables of the axes (B, L, D) or (L, D)");

 public:
  explicit Sequences(const Variable<T, N>& x) : x_(x) {}

  Shape<4> shape() const { return with_leading_axes<4>(x_.value().view()).shape(); }
  Variable<T, 3> get() const {
    if constexpr (N == 3) return x_;
    else return reshape(x_, {1, x_.shape()[0], x_.shape()[1]});
  }
  Variable<T, N> finish(const Variable<T, 3>& y) const {
    if constexpr (N == 3) return y;
    else return reshape(y, {y.shape()[1], y.shape()[2]});
  }

 private:
  Variable<T, N> x_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
