#pragma once

#include <attn/math/elementwise.hpp>
#include <attn/simd/normal.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What stands between the two linear layers of a feed-forward network. `gelu_tanh` is PyTorch's
/// `approximate="tanh"`; `swiglu` has a linear layer more, which the silu of the first gates.
enum class Activation { relu, gelu, gelu_tanh, silu, swiglu };

/// max(0, x); NaN stays NaN.
template <class T, int N>
Tensor<T, N> relu(Tensor<T, N> x) {
  return map_elements(std::move(x), [](const auto& v) { return select(v < T(0), T(0), v); });
}
/// dx = dy where x > 0, else 0.
template <class T, int N>
Tensor<T, N> relu_backward(Tensor<T, N> dy, const Tensor<T, N>& x) {
  return map_elements(
      std::move(dy), [](const auto& g, const auto& v) { return select(v <= T(0), T(0), g); }, x);
}
/// x · Φ(x), Φ the normal distribution's share below x   [Hendrycks16 §2]
template <class T, int N>
Tensor<T, N> gelu(Tensor<T, N> x) {
  return map_elements(std::move(x), [](const auto& v) { return v * normal_cdf(v); });
}
/// dx = dy · (Φ(x) + x φ(x)), φ(x) = e^(−x²/2) / √(2π)
template <class T, int N>
Tensor<T, N> gelu_backward(Tensor<T, N> dy, const Tensor<T, N>& x) {
  return map_elements(
      std::move(dy),
      [](const auto& g, const auto& v) {
        const auto density = T(0.39894228040143267794) * exp(T(-0.5) * v * v);
        return g * fma(v, density, normal_cdf(v));
      },
      x);
}
/// ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 x³)))   [Hendrycks16 §2]
template <class T, int N>
Tensor<T, N> gelu_tanh(Tensor<T, N> x) {
  return map_elements(std::move(x), [](const auto& v) {
    const auto inner = T(0.79788456080286535588) * fma(T(0.044715) * v * v, v, v);
    return T(0.5) * v * (T(1) + tanh(inner));
  });
}
/// dx = dy · ½ (1 + t + x (1 − t²) u′), t = tanh u, u = √(2/π) · (x + 0.044715 x³)
template <class T, int N>
Tensor<T, N> gelu_tanh_backward(Tensor<T, N> dy, const Tensor<T, N>& x) {
  return map_elements(
      std::move(dy),
      [](const auto& g, const auto& v) {
        constexpr T root = T(0.79788456080286535588);
        const auto t = tanh(root * fma(T(0.044715) * v * v, v, v)),
                   slope = root * fma(T(3 * 0.044715) * v, v, T(1));
        return g * T(0.5) * fma(v * (T(1) - t * t), slope, T(1) + t);
      },
      x);
}
/// x · σ(x) = x / (1 + e^(−x))   [Elfwing17; Hendrycks16 §4]
template <class T, int N>
Tensor<T, N> silu(Tensor<T, N> x) {
  return map_elements(std::move(x), [](const auto& v) { return v / (T(1) + exp(-v)); });
}
/// dx = dy · σ(x) (1 + x (1 − σ(x)))
template <class T, int N>
Tensor<T, N> silu_backward(Tensor<T, N> dy, const Tensor<T, N>& x) {
  return map_elements(
      std::move(dy),
      [](const auto& g, const auto& v) {
        const auto sigma = T(1) / (T(1) + exp(-v));
        return g * sigma * fma(v, T(1) - sigma, T(1));
      },
      x);
}

/// The one that is named, of those with one operand. `x` may be anything that has them: they are
/// called unqualified.
template <class X>
auto activate(Activation activation, X&& x) {
  switch (activation) {
    case Activation::relu: return relu(std::forward<X>(x));
    case Activation::gelu: return gelu(std::forward<X>(x));
    case Activation::gelu_tanh: return gelu_tanh(std::forward<X>(x));
    case Activation::silu:
    case Activation::swiglu: break;
  }
  return silu(std::forward<X>(x));
}

}  // namespace ATTN_ABI
}  // namespace attn
