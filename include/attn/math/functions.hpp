#pragma once

#include <attn/math/elementwise.hpp>
#include <attn/simd/exp.hpp>
#include <attn/simd/standard_functions.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y = eˣ.   dx = dy · eˣ
struct Exp : detail::Elementwise<Exp> {
  auto value(const auto& x) const { return exp(x); }
  auto gradient(const auto& dy, const auto& x) const { return dy * exp(x); }
};

/// y = ln x.   dx = dy / x
struct Log : detail::Elementwise<Log> {
  auto value(const auto& x) const { return log(x); }
  auto gradient(const auto& dy, const auto& x) const { return dy / x; }
};

/// y = tanh x.   dx = dy · (1 − tanh² x)
struct Tanh : detail::Elementwise<Tanh> {
  auto value(const auto& x) const { return tanh(x); }
  auto gradient(const auto& dy, const auto& x) const {
    const auto y = tanh(x);
    return dy * (1 - y * y);
  }
};

/// y = σ(x) = 1 / (1 + e^(−x)).   dx = dy · σ(x) σ(−x)
/// Numerics: e^(−|x|) never overflows, and σ(−x) is not computed as 1 − σ(x), which would lose its
/// digits for large x.
struct Sigmoid : detail::Elementwise<Sigmoid> {
  auto value(const auto& x) const {
    const auto e = exp(-abs(x));
    return select(x < 0, e, 1) / (1 + e);
  }
  auto gradient(const auto& dy, const auto& x) const {
    const auto e = exp(-abs(x));
    return dy * e / ((1 + e) * (1 + e));
  }
};

/// y = √x.   dx = dy / (2 √x)
struct Sqrt : detail::Elementwise<Sqrt> {
  auto value(const auto& x) const { return sqrt(x); }
  auto gradient(const auto& dy, const auto& x) const { return dy / (2 * sqrt(x)); }
};

/// y = |x|.   dx = dy · sign x, which is 0 at 0 as in PyTorch.
struct Abs : detail::Elementwise<Abs> {
  auto value(const auto& x) const { return abs(x); }
  auto gradient(const auto& dy, const auto& x) const {
    return select(x == 0, 0, select(x < 0, -dy, dy));
  }
};

/// eˣ, ln x, tanh x, σ(x), √x and |x| of each element, under PyTorch's names.
template <TensorOrVariable X>
auto exp(X&& x) {
  return apply(Exp{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto log(X&& x) {
  return apply(Log{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto tanh(X&& x) {
  return apply(Tanh{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto sigmoid(X&& x) {
  return apply(Sigmoid{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto sqrt(X&& x) {
  return apply(Sqrt{}, std::forward<X>(x));
}
template <TensorOrVariable X>
auto abs(X&& x) {
  return apply(Abs{}, std::forward<X>(x));
}

}  // namespace ATTN_ABI
}  // namespace attn
