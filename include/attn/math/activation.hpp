#pragma once

#include <attn/math/elementwise.hpp>
#include <attn/simd/normal.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The activation between the two linear layers of a feed-forward network. `gelu_tanh` is PyTorch's
/// `approximate="tanh"`. `swiglu` has a third linear layer, which is gated by silu of the first.
enum class Activation { relu, gelu, gelu_tanh, silu, swiglu };

/// y = max(0, x); NaN stays NaN.   dx = dy where x > 0, else 0.
struct Relu : detail::Elementwise<Relu> {
  auto value(const auto& x) const { return select(x < 0, 0, x); }
  auto gradient(const auto& dy, const auto& x) const { return select(x <= 0, 0, dy); }
};

/// y = x · Φ(x), with Φ the cumulative distribution function of the normal distribution
/// [Hendrycks16 §2].   dx = dy · (Φ(x) + x φ(x)), φ(x) = e^(−x²/2) / √(2π)
struct Gelu : detail::Elementwise<Gelu> {
  auto value(const auto& x) const { return x * normal_cdf(x); }
  auto gradient(const auto& dy, const auto& x) const {
    const auto density = 0.39894228040143267794 * exp(-0.5 * x * x);
    return dy * fma(x, density, normal_cdf(x));
  }
};

/// y = ½ · x · (1 + tanh u), u = √(2/π) · (x + 0.044715 x³)   [Hendrycks16 §2]
/// dx = dy · ½ (1 + t + x (1 − t²) u′), t = tanh u
struct GeluTanh : detail::Elementwise<GeluTanh> {
  static constexpr double root = 0.79788456080286535588, cubic = 0.044715;

  auto value(const auto& x) const { return 0.5 * x * (1 + tanh(root * fma(cubic * x * x, x, x))); }
  auto gradient(const auto& dy, const auto& x) const {
    const auto t = tanh(root * fma(cubic * x * x, x, x));
    const auto slope = root * fma(3 * cubic * x, x, 1);
    return dy * 0.5 * fma(x * (1 - t * t), slope, 1 + t);
  }
};

/// y = x · σ(x) = x / (1 + e^(−x))   [Elfwing17; Hendrycks16 §4]
/// dx = dy · σ(x) (1 + x (1 − σ(x)))
struct Silu : detail::Elementwise<Silu> {
  auto value(const auto& x) const { return x / (1 + exp(-x)); }
  auto gradient(const auto& dy, const auto& x) const {
    const auto sigma = 1 / (1 + exp(-x));
    return dy * sigma * fma(x, 1 - sigma, 1);
  }
};

template <TensorOrVariable X>
auto relu(X&& x) {
  return apply(Relu{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto gelu(X&& x) {
  return apply(Gelu{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto gelu_tanh(X&& x) {
  return apply(GeluTanh{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto silu(X&& x) {
  return apply(Silu{}, std::forward<X>(x));
}

/// The activation that is named. `swiglu` gives silu, the gate.
template <TensorOrVariable X>
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
