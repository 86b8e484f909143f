#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/math/activation.hpp>
#include <attn/math/dropout.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y = forward(x), dx = backward(dy, x), both of one shape.
template <class T, int N, class Forward, class Backward>
Variable<T, N> record_map(const Variable<T, N>& x, Forward forward, Backward backward) {
  return x.tape().record(
      forward(x.value()),
      [backward, x = x.kept(), dx = x.gradient()](Tensor<T, N> dy) {
        dx->add(backward(std::move(dy), *x));
      },
      x);
}
template <class T, int N>
Variable<T, N> relu(const Variable<T, N>& x) {
  return record_map(
      x, [](const Tensor<T, N>& v) { return relu(v); },
      [](Tensor<T, N> dy, const Tensor<T, N>& v) { return relu_backward(std::move(dy), v); });
}
template <class T, int N>
Variable<T, N> gelu(const Variable<T, N>& x) {
  return record_map(
      x, [](const Tensor<T, N>& v) { return gelu(v); },
      [](Tensor<T, N> dy, const Tensor<T, N>& v) { return gelu_backward(std::move(dy), v); });
}
template <class T, int N>
Variable<T, N> gelu_tanh(const Variable<T, N>& x) {
  return record_map(
      x, [](const Tensor<T, N>& v) { return gelu_tanh(v); },
      [](Tensor<T, N> dy, const Tensor<T, N>& v) { return gelu_tanh_backward(std::move(dy), v); });
}
template <class T, int N>
Variable<T, N> silu(const Variable<T, N>& x) {
  return record_map(
      x, [](const Tensor<T, N>& v) { return silu(v); },
      [](Tensor<T, N> dy, const Tensor<T, N>& v) { return silu_backward(std::move(dy), v); });
}

/// d(a + b) goes to both. Errors: ShapeError unless the shapes are equal.
template <class T, int N>
Variable<T, N> operator+(const Variable<T, N>& a, const Variable<T, N>& b) {
  return a.tape().record(
      a.value() + b.value(),
      [da = a.gradient(), db = b.gradient()](Tensor<T, N> dy) {
        if (da && db) da->add(dy);
        (db ? db : da)->add(std::move(dy));
      },
      a, b);
}
/// da = dy ∘ b, db = dy ∘ a. Errors: ShapeError unless the shapes are equal.
template <class T, int N>
Variable<T, N> operator*(const Variable<T, N>& a, const Variable<T, N>& b) {
  return a.tape().record(
      a.value() * b.value(),
      [a_value = b.needs_gradient() ? a.kept() : nullptr,
       b_value = a.needs_gradient() ? b.kept() : nullptr, da = a.gradient(),
       db = b.gradient()](Tensor<T, N> dy) {
        if (da) da->add(dy * *b_value);
        if (db) db->add(std::move(dy) * *a_value);
      },
      a, b);
}
/// A tensor beside a variable is a constant.
template <class T, int N>
Variable<T, N> operator+(const Variable<T, N>& a, const Tensor<T, N>& b) {
  return a + a.tape().constant(b);
}
template <class T, int N>
Variable<T, N> operator+(const Tensor<T, N>& a, const Variable<T, N>& b) {
  return b + a;
}
template <class T, int N>
Variable<T, N> operator*(const Variable<T, N>& a, const Tensor<T, N>& b) {
  return a * a.tape().constant(b);
}
template <class T, int N>
Variable<T, N> operator*(const Tensor<T, N>& a, const Variable<T, N>& b) {
  return b * a;
}

template <class T, int N>
Variable<T, N> add_to_each(const Variable<T, N>& x,
                           const std::type_identity_t<TensorView<const T, N - 1>>& p) {
  return x.tape().record(
      add_to_each(x.value(), p), [dx = x.gradient()](Tensor<T, N> dy) { dx->add(std::move(dy)); },
      x);
}
template <class T, int N, int M>
  requires(M == N - 1)
Variable<T, N> add_to_each(const Variable<T, N>& x, const Variable<T, M>& p) {
  return x.tape().record(
      add_to_each(x.value(), p.value()),
      [dx = x.gradient(), dp = p.gradient()](Tensor<T, N> dy) {
        if (dp) dp->add(add_to_each_backward(dy));
        if (dx) dx->add(std::move(dy));
      },
      x, p);
}

/// Where the tape has a Random, each number is dropped with probability p; else x itself.
template <class T, int N>
Variable<T, N> drop(const Variable<T, N>& x, double p) {
  if (p == 0 || !x.tape().random()) return x;
  const DropoutMask<T> mask(p, x.value().size(), *x.tape().random());
  return x.tape().record(
      drop(x.value(), mask),
      [mask, dx = x.gradient()](Tensor<T, N> dy) { dx->add(drop(std::move(dy), mask)); }, x);
}

}  // namespace ATTN_ABI
}  // namespace attn
