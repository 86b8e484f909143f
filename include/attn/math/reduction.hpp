#pragma once

#include <attn/math/arithmetic.hpp>
#include <attn/parallel/chunks.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// y = Σ x, a tensor of one element.   dx = dy
/// Numerics: summed in double, chunk by chunk, in an order that depends on the size alone.
struct Sum {
  static constexpr bool keeps_inputs = false;

  template <class T, int N>
  Tensor<T, 1> forward(const Tensor<T, N>& x) const {
    std::vector<double> chunks(
        static_cast<std::size_t>((x.size() + detail::chunk_size - 1) / detail::chunk_size));
    detail::parallel_chunks(x.size(), [&](Index begin, Index count) {
      double& sum = chunks[static_cast<std::size_t>(begin / detail::chunk_size)];
      for (Index i = begin; i < begin + count; ++i) sum += static_cast<double>(x.data()[i]);
    });
    double total = 0;
    for (const double sum : chunks) total += sum;
    Tensor<T, 1> y({1});
    y(0) = static_cast<T>(total);
    return y;
  }
  template <class T, int N>
  void backward(const Tensor<T, 1>& dy, const Input<T, N>& x) const {
    auto dx = Tensor<T, N>::for_overwrite(x.shape());
    dx.flat().setConstant(dy(0));
    x.add(std::move(dx));
  }
};

/// y = Σ x over one axis, which the result does not have.   dx = dy for each element of the axis
/// Numerics: summed in double, in the order of the axis.
struct SumOverAxis {
  static constexpr bool keeps_inputs = false;
  int axis;

  template <class T, int N>
    requires(N > 1)
  Tensor<T, N - 1> forward(const Tensor<T, N>& x) const {
    Tensor<T, N - 1> y(without_axis<N>(x.shape()));
    const auto [outer, length, inner] = extents<N>(x.shape());
    const Index width = inner;
    const Index count = length;
    parallel_for(outer, [&](Index o) {
      for (Index i = 0; i < width; ++i) {
        double sum = 0;
        for (Index k = 0; k < count; ++k)
          sum += static_cast<double>(x.data()[(o * count + k) * width + i]);
        y.data()[o * width + i] = static_cast<T>(sum);
      }
    });
    return y;
  }
  template <class T, int N>
    requires(N > 1)
  void backward(const Tensor<T, N - 1>& dy, const Input<T, N>& x) const {
    auto dx = Tensor<T, N>::for_overwrite(x.shape());
    const auto [outer, length, inner] = extents<N>(x.shape());
    for (Index o = 0; o < outer; ++o)
      for (Index k = 0; k < length; ++k)
        std::copy_n(dy.data() + o * inner, inner, dx.data() + (o * length + k) * inner);
    x.add(std::move(dx));
  }

 private:
  struct Extents {
    Index outer, length, inner;
  };
  /// The product of the extents before the axis, its own, and the product of those after it.
  template <int N>
  Extents extents(const Shape<N>& shape) const {
    Extents result{1, 1, 1};
    for (int a = 0; a < N; ++a) {
      const Index extent = shape[static_cast<std::size_t>(a)];
      (a < axis ? result.outer : a == axis ? result.length : result.inner) *= extent;
    }
    return result;
  }
  template <int N>
  Shape<N - 1> without_axis(const Shape<N>& shape) const {
    if (axis < 0 || axis >= N)
      throw ShapeError("sum: axis " + std::to_string(axis) + " must be one of the axes of " +
                       to_string(shape));
    Shape<N - 1> result{};
    for (int a = 0; a < N; ++a)
      if (a != axis)
        result[static_cast<std::size_t>(a < axis ? a : a - 1)] = shape[static_cast<std::size_t>(a)];
    return result;
  }
};

/// Σ x over all elements, a tensor of one element, or over one axis.
/// Errors: ShapeError unless x has the axis.
template <TensorOrVariable X>
auto sum(const X& x) {
  return apply(Sum{}, x);
}
template <TensorOrVariable X>
  requires(std::remove_cvref_t<X>::axes > 1)
auto sum(const X& x, int axis) {
  return apply(SumOverAxis{axis}, x);
}

/// The mean over all elements, a tensor of one element, or over one axis. The mean of nothing is
/// NaN, as in PyTorch. Errors: ShapeError unless x has the axis.
template <TensorOrVariable X>
auto mean(const X& x) {
  return sum(x) / static_cast<double>(checked_size(x.shape()));
}
template <TensorOrVariable X>
  requires(std::remove_cvref_t<X>::axes > 1)
auto mean(const X& x, int axis) {
  auto sums = sum(x, axis);  // throws unless x has the axis
  return std::move(sums) / static_cast<double>(x.shape()[static_cast<std::size_t>(axis)]);
}

}  // namespace ATTN_ABI
}  // namespace attn
