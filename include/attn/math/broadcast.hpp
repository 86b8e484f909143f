#pragma once

#include <attn/math/elementwise.hpp>
#include <attn/math/rows.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Errors: ShapeError unless the shape of the operand of lower rank is that of the last axes of the
/// other.
template <std::size_t N, std::size_t M>
void expect_broadcast(const std::array<Index, N>& all, const std::array<Index, M>& last) {
  if (!std::equal(last.begin(), last.end(), all.end() - M))
    throw ShapeError("operands " + to_string(all) + " and " + to_string(last) +
                     (N == M ? " must have the same shape"
                             : " must have the same last axes, of which the second has fewer"));
}

/// y_i ← f(x_i, z_(i mod size of z)), where z repeats over the leading axes of x. y may be x.
template <class T, class F>
void transform_repeated(T* y, const T* x, Index size, std::span<const T> z, const F& f) {
  const Index period = static_cast<Index>(z.size());
  if (period == 0) return;
  parallel_chunks(size, [&](Index begin, Index count) {
    for (Index i = begin; i < begin + count;) {
      const Index offset = i % period;
      const Index run = std::min(period - offset, begin + count - i);
      ATTN_DISPATCH(transform<T>(y + i, run, f, x + i, z.data() + offset));
      i += run;
    }
  });
}

/// f(x, z) for each element, z broadcast over the leading axes of x.
template <class T, int N, int M, class F>
Tensor<T, N> map_broadcast(Tensor<T, N> x, const Tensor<T, M>& z, const F& f) {
  static_assert(N >= M);
  expect_broadcast(x.shape(), z.shape());
  if constexpr (N == M) {
    transform_elements(x.data(), x.size(), f, std::as_const(x).data(), z.data());
  } else {
    transform_repeated(x.data(), x.data(), x.size(),
                       std::span(z.data(), static_cast<std::size_t>(z.size())), f);
  }
  return x;
}

/// Σ over the leading axes of dy that were broadcast; dy itself if there are none.
template <int M, class T, int N>
Tensor<T, M> sum_leading(Tensor<T, N> dy, const Shape<M>& shape) {
  if constexpr (N == M) {
    return dy;
  } else {
    const Index width = checked_size(shape);
    const Index count = width > 0 ? dy.size() / width : 0;
    const Tensor<T, 1> sums = sum_over_rows<T>(count, width, [&](Index r, T* to) {
      ATTN_DISPATCH(add_row<T>(to, dy.data() + r * width, width));
    });
    Tensor<T, M> result(shape);
    if (width > 0) result.flat() = sums.flat();
    return result;
  }
}

/// Base of an operation on the elements of two tensors, one of which may have fewer axes and is
/// then broadcast over the leading axes of the other. The formula defines `value(a, b)`,
/// `gradient_a(dy, a, b)` and `gradient_b(dy, a, b)` for vectors of elements.
template <class Formula>
struct ElementwisePair {
  template <class A, class B>
  auto forward(A&& a, B&& b) const {
    using Left = std::remove_cvref_t<A>;
    using Right = std::remove_cvref_t<B>;
    const auto f = [this](const auto& x, const auto& z) { return formula().value(x, z); };
    const auto swapped = [f](const auto& z, const auto& x) { return f(x, z); };
    // An rvalue gives its memory to the result.
    constexpr bool reuse_b = std::is_rvalue_reference_v<B&&> && !std::is_rvalue_reference_v<A&&>;
    if constexpr (Left::axes < Right::axes || (Left::axes == Right::axes && reuse_b))
      return map_broadcast(tensor(std::forward<B>(b)), to_tensor(a), swapped);
    else return map_broadcast(tensor(std::forward<A>(a)), to_tensor(b), f);
  }

  template <class T, int R, int N, int M>
  void backward(Tensor<T, R> dy, const Input<T, N>& a, const Input<T, M>& b) const {
    const auto gradient_a = [this](const auto& x, const auto& z, const auto& g) {
      return formula().gradient_a(g, x, z);
    };
    const auto gradient_b = [this](const auto& x, const auto& z, const auto& g) {
      return formula().gradient_b(g, x, z);
    };
    if (a.needs_gradient()) a.add(sum_leading<N>(pair(dy, a, b, gradient_a), a.shape()));
    if (b.needs_gradient()) b.add(sum_leading<M>(pair(dy, a, b, gradient_b), b.shape()));
  }

 private:
  template <class X>
  static auto tensor(X&& x) {
    return to_tensor(std::forward<X>(x));
  }
  /// g(a, b, dy) for each element of dy's shape.
  template <class T, int R, int N, int M, class G>
  static Tensor<T, R> pair(const Tensor<T, R>& dy, const Input<T, N>& a, const Input<T, M>& b,
                           const G& g) {
    if constexpr (N == M) {
      auto result = Tensor<T, R>::for_overwrite(dy.shape());
      transform_elements(result.data(), result.size(), g, a.value().data(), b.value().data(),
                         dy.data());
      return result;
    } else if constexpr (N > M) {
      return pair_of_one_shape(dy, a.value(), repeated<R>(b.value(), dy.shape()), g);
    } else {
      return pair_of_one_shape(dy, repeated<R>(a.value(), dy.shape()), b.value(), g);
    }
  }
  template <class T, int R, class G>
  static Tensor<T, R> pair_of_one_shape(const Tensor<T, R>& dy, const Tensor<T, R>& a,
                                        const Tensor<T, R>& b, const G& g) {
    auto result = Tensor<T, R>::for_overwrite(dy.shape());
    transform_elements(result.data(), result.size(), g, a.data(), b.data(), dy.data());
    return result;
  }
  template <int R, class T, int M>
  static Tensor<T, R> repeated(const Tensor<T, M>& z, const Shape<R>& shape) {
    return map_broadcast(Tensor<T, R>::for_overwrite(shape), z,
                         [](const auto&, const auto& v) { return v; });
  }
  const Formula& formula() const { return static_cast<const Formula&>(*this); }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
