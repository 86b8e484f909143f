#pragma once

#include <attn/math/broadcast.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y = a + b.   da = dy, db = dy
struct Add : detail::ElementwisePair<Add> {
  static constexpr bool keeps_inputs = false;

  auto value(const auto& a, const auto& b) const { return a + b; }
  template <class T, int R, class A, class B>
  void backward(Tensor<T, R> dy, const A& a, const B& b) const {
    if (a.needs_gradient() && b.needs_gradient())
      a.add(detail::sum_leading<A::axes>(dy, a.shape()));
    else if (a.needs_gradient()) a.add(detail::sum_leading<A::axes>(std::move(dy), a.shape()));
    if (b.needs_gradient()) b.add(detail::sum_leading<B::axes>(std::move(dy), b.shape()));
  }
};

/// y = a − b.   da = dy, db = −dy
struct Subtract : detail::ElementwisePair<Subtract> {
  static constexpr bool keeps_inputs = false;

  auto value(const auto& a, const auto& b) const { return a - b; }
  template <class T, int R, int N, int M>
  void backward(Tensor<T, R> dy, const Input<T, N>& a, const Input<T, M>& b) const {
    if (a.needs_gradient()) a.add(detail::sum_leading<N>(dy, a.shape()));
    if (!b.needs_gradient()) return;
    const auto negative = [](const auto& g) { return -g; };
    b.add(detail::map_elements(detail::sum_leading<M>(std::move(dy), b.shape()), negative));
  }
};

/// y = a ∘ b.   da = dy ∘ b, db = dy ∘ a
struct Multiply : detail::ElementwisePair<Multiply> {
  auto value(const auto& a, const auto& b) const { return a * b; }
  auto gradient_a(const auto& dy, const auto&, const auto& b) const { return dy * b; }
  auto gradient_b(const auto& dy, const auto& a, const auto&) const { return dy * a; }
};

/// y = a / b.   da = dy / b, db = −dy · a / b²
struct Divide : detail::ElementwisePair<Divide> {
  auto value(const auto& a, const auto& b) const { return a / b; }
  auto gradient_a(const auto& dy, const auto&, const auto& b) const { return dy / b; }
  auto gradient_b(const auto& dy, const auto& a, const auto& b) const { return -dy * a / (b * b); }
};

/// y = x + c.   dx = dy
struct AddNumber : detail::Elementwise<AddNumber> {
  static constexpr bool keeps_inputs = false;
  double c;

  explicit AddNumber(double number) : c(number) {}
  auto value(const auto& x) const { return x + c; }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x) const {
    x.add(std::move(dy));
  }
};

/// y = c · x.   dx = c · dy
struct MultiplyByNumber : detail::Elementwise<MultiplyByNumber> {
  static constexpr bool keeps_inputs = false;
  double c;

  explicit MultiplyByNumber(double number) : c(number) {}
  auto value(const auto& x) const { return c * x; }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x) const {
    x.add(forward(std::move(dy)));
  }
};

/// y = x / c.   dx = dy / c
struct DivideByNumber : detail::Elementwise<DivideByNumber> {
  static constexpr bool keeps_inputs = false;
  double c;

  explicit DivideByNumber(double number) : c(number) {}
  auto value(const auto& x) const { return x / c; }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x) const {
    x.add(forward(std::move(dy)));
  }
};

/// y = c / x.   dx = −dy · c / x²
struct DivideNumber : detail::Elementwise<DivideNumber> {
  double c;

  explicit DivideNumber(double number) : c(number) {}
  auto value(const auto& x) const { return c / x; }
  auto gradient(const auto& dy, const auto& x) const { return -dy * c / (x * x); }
};

namespace detail {
template <class X>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<X>>;
}

/// a + b, a − b, a ∘ b and a / b of each element. Tensors and variables must have the same shape,
/// or one of them the last axes of the other: it is then broadcast over the leading axes. A number
/// is the same for each element. Errors: ShapeError.
template <TensorOrVariable A, TensorOrVariable B>
auto operator+(A&& a, B&& b) {
  return apply(Add{}, std::forward<A>(a), std::forward<B>(b));
}
template <TensorOrVariable A, TensorOrVariable B>
auto operator-(A&& a, B&& b) {
  return apply(Subtract{}, std::forward<A>(a), std::forward<B>(b));
}
template <TensorOrVariable A, TensorOrVariable B>
auto operator*(A&& a, B&& b) {
  return apply(Multiply{}, std::forward<A>(a), std::forward<B>(b));
}
template <TensorOrVariable A, TensorOrVariable B>
auto operator/(A&& a, B&& b) {
  return apply(Divide{}, std::forward<A>(a), std::forward<B>(b));
}

template <TensorOrVariable X, detail::Number C>
auto operator+(X&& x, C c) {
  return apply(AddNumber(static_cast<double>(c)), std::forward<X>(x));
}
template <detail::Number C, TensorOrVariable X>
auto operator+(C c, X&& x) {
  return std::forward<X>(x) + c;
}
template <TensorOrVariable X, detail::Number C>
auto operator-(X&& x, C c) {
  return std::forward<X>(x) + -static_cast<double>(c);
}
template <TensorOrVariable X>
auto operator-(X&& x) {
  return apply(MultiplyByNumber(-1), std::forward<X>(x));
}
template <detail::Number C, TensorOrVariable X>
auto operator-(C c, X&& x) {
  return -std::forward<X>(x) + c;
}
template <TensorOrVariable X, detail::Number C>
auto operator*(X&& x, C c) {
  return apply(MultiplyByNumber(static_cast<double>(c)), std::forward<X>(x));
}
template <detail::Number C, TensorOrVariable X>
auto operator*(C c, X&& x) {
  return std::forward<X>(x) * c;
}
template <TensorOrVariable X, detail::Number C>
auto operator/(X&& x, C c) {
  return apply(DivideByNumber(static_cast<double>(c)), std::forward<X>(x));
}
template <detail::Number C, TensorOrVariable X>
auto operator/(C c, X&& x) {
  return apply(DivideNumber(static_cast<double>(c)), std::forward<X>(x));
}

}  // namespace ATTN_ABI
}  // namespace attn
