#pragma once

#include <attn/math/arithmetic.hpp>
#include <attn/math/functions.hpp>
#include <attn/math/reduction.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// −t · max(log p, −100) − (1 − t) · max(log(1 − p), −100) for a probability p and a target t.
/// dp = dy · (p − t) / max(p (1 − p), 1e-12)   dt = dy · (log(1 − p) − log p)
/// Numerics: the logarithms are bounded as in PyTorch, so that p = 0 and p = 1 give finite losses.
struct BinaryCrossEntropy : detail::ElementwisePair<BinaryCrossEntropy> {
  auto value(const auto& p, const auto& t) const {
    return -(t * max(log(p), -100) + (1 - t) * max(log(1 - p), -100));
  }
  auto gradient_a(const auto& dy, const auto& p, const auto& t) const {
    return dy * (p - t) / max((1 - p) * p, 1e-12);
  }
  auto gradient_b(const auto& dy, const auto& p, const auto&) const {
    return dy * (max(log(1 - p), -100) - max(log(p), -100));
  }
};

/// The same for a logit z, p = σ(z): max(z, 0) − z t + log(1 + e^(−|z|)).
/// dz = dy · (σ(z) − t)   dt = −dy · z
/// Numerics: nothing overflows, and no probability is rounded to 0 or 1.
struct BinaryCrossEntropyWithLogits : detail::ElementwisePair<BinaryCrossEntropyWithLogits> {
  auto value(const auto& z, const auto& t) const { return max(z, 0) - z * t + log1p(exp(-abs(z))); }
  auto gradient_a(const auto& dy, const auto& z, const auto& t) const {
    return dy * (Sigmoid{}.value(z) - t);
  }
  auto gradient_b(const auto& dy, const auto& z, const auto&) const { return -dy * z; }
};

/// The mean of (x − y)², a tensor of one element, as PyTorch's `mse_loss`. Errors: ShapeError.
template <TensorOrVariable X, TensorOrVariable Y>
auto mse_loss(const X& x, const Y& y) {
  const auto difference = x - y;
  return mean(difference * difference);
}

/// The mean binary cross-entropy of probabilities p and targets t, both in 0 … 1, as PyTorch's
/// `binary_cross_entropy`. Errors: ShapeError.
template <TensorOrVariable P, TensorOrVariable Y>
auto binary_cross_entropy(const P& p, const Y& t) {
  return mean(apply(BinaryCrossEntropy{}, p, t));
}

/// The same for logits, as PyTorch's `binary_cross_entropy_with_logits`. Errors: ShapeError.
template <TensorOrVariable Z, TensorOrVariable Y>
auto binary_cross_entropy_with_logits(const Z& z, const Y& t) {
  return mean(apply(BinaryCrossEntropyWithLogits{}, z, t));
}

}  // namespace ATTN_ABI
}  // namespace attn
