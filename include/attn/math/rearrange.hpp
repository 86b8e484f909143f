#pragma once

#include <attn/autograd/apply.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// to += x for views of one shape.
template <class T, int N>
void add_to_view(const TensorView<const T, N>& x, const TensorView<T, N>& to) {
  if constexpr (N == 1) {
    to.flat() += x.flat();
  } else {
    for (Index i = 0; i < x.shape()[0]; ++i) add_to_view<T, N - 1>(x[i], to[i]);
  }
}

}  // namespace detail

/// The same elements in the same order under other extents.
template <int M>
struct Reshape {
  static constexpr bool keeps_inputs = false;
  Shape<M> shape;

  template <class X>
  Tensor<typename std::remove_cvref_t<X>::Scalar, M> forward(X&& x) const {
    Index extents[static_cast<std::size_t>(M)];
    std::copy(shape.begin(), shape.end(), extents);
    return Tensor(to_tensor(std::forward<X>(x))).reshape(extents);
  }
  template <class T, int N>
  void backward(Tensor<T, M> dy, const Input<T, N>& x) const {
    x.add(Reshape<N>{x.shape()}.forward(std::move(dy)));
  }
};

/// Axis a of the result is axis `order[a]` of x.
template <int N>
struct Permute {
  static constexpr bool keeps_inputs = false;
  std::array<int, static_cast<std::size_t>(N)> order;

  template <class T>
  Tensor<T, N> forward(const Tensor<T, N>& x) const {
    return x.permute(order);
  }
  template <class T>
  void backward(const Tensor<T, N>& dy, const Input<T, N>& x) const {
    std::array<int, static_cast<std::size_t>(N)> inverse{};
    for (std::size_t a = 0; a < order.size(); ++a)
      inverse[static_cast<std::size_t>(order[a])] = static_cast<int>(a);
    x.add(dy.permute(inverse));
  }
};

/// The elements with an index from `range` on one axis.
struct Slice {
  static constexpr bool keeps_inputs = false;
  int axis;
  Range range;

  template <class T, int N>
  Tensor<T, N> forward(const Tensor<T, N>& x) const {
    return x.slice(axis, range.begin, range.end).copy();
  }
  template <class T, int N>
  void backward(const Tensor<T, N>& dy, const Input<T, N>& x) const {
    const TensorView<T, N> to = x.sum().slice(axis, range.begin, range.end);
    detail::add_to_view<T, N>(dy.view(), to);
  }
};

/// Tensors one after the other on one axis.
struct Concatenate {
  static constexpr bool keeps_inputs = false;
  int axis;

  template <class T, int N, std::same_as<Tensor<T, N>>... X>
  Tensor<T, N> forward(const Tensor<T, N>& first, const X&... others) const {
    if (axis < 0 || axis >= N)
      throw ShapeError("concatenate: axis " + std::to_string(axis) +
                       " must be one of the axes of " + to_string(first.shape()));
    Shape<N> shape = first.shape();
    (extend(shape, others.shape()), ...);
    auto y = Tensor<T, N>::for_overwrite(shape);
    Index begin = 0;
    const auto append = [&](const Tensor<T, N>& x) {
      copy(x.view(), y.slice(axis, begin, begin + extent(x.shape())));
      begin += extent(x.shape());
    };
    append(first);
    (append(others), ...);
    return y;
  }
  template <class T, int N, class... I>
  void backward(const Tensor<T, N>& dy, const I&... inputs) const {
    Index begin = 0;
    const auto give = [&](const Input<T, N>& x) {
      const Index end = begin + extent(x.shape());
      if (x.needs_gradient()) x.add(dy.slice(axis, begin, end).copy());
      begin = end;
    };
    (give(inputs), ...);
  }

 private:
  template <std::size_t N>
  Index extent(const std::array<Index, N>& shape) const {
    return shape[static_cast<std::size_t>(axis)];
  }
  template <std::size_t N>
  void extend(std::array<Index, N>& shape, std::array<Index, N> other) const {
    const auto a = static_cast<std::size_t>(axis);
    const Index more = std::exchange(other[a], shape[a]);
    if (other != shape) {
      other[a] = more;
      throw ShapeError("concatenate: shapes " + to_string(shape) + " and " + to_string(other) +
                       " must differ on axis " + std::to_string(axis) + " only");
    }
    shape[a] += more;
  }
};

/// x with other extents, as PyTorch's `reshape`. Errors: ShapeError unless the number of elements
/// is the same.
template <TensorOrVariable X, std::size_t M>
auto reshape(X&& x, const Index (&shape)[M]) {
  return apply(Reshape<static_cast<int>(M)>{std::to_array(shape)}, std::forward<X>(x));
}

/// A copy of x whose axis a is axis `order[a]` of x, as PyTorch's `permute(…).contiguous()`.
/// Errors: ShapeError unless the order names each axis once.
template <TensorOrVariable X, std::size_t M>
auto permute(const X& x, const int (&order)[M]) {
  static_assert(M == X::axes, "the order must name each axis once");
  return apply(Permute<X::axes>{std::to_array(order)}, x);
}

/// A copy of the elements of x with the indices begin … end − 1 on one axis. Errors: ShapeError
/// unless x has the axis and the indices.
template <TensorOrVariable X>
auto slice(const X& x, int axis, Index begin, Index end) {
  return apply(Slice{axis, {begin, end}}, x);
}

/// The tensors x… one after the other on one axis, as PyTorch's `cat`. Errors: ShapeError unless
/// the other extents are equal.
template <TensorOrVariable... X>
auto concatenate(int axis, const X&... x) {
  static_assert(sizeof...(X) > 0, "concatenate needs at least one tensor");
  return apply(Concatenate{axis}, x...);
}

}  // namespace ATTN_ABI
}  // namespace attn
