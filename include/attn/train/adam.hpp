#pragma once

#include <attn/simd/square_root.hpp>
#include <attn/train/optimizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// How Adam's weights decay: g ← g + λ θ, so that the decay goes through the averages as the
/// gradient does.
struct DecayInGradient {
  static constexpr const char* kind = "Adam";
  static constexpr double usual = 0;
  template <class V>
  static void apply(V& x, V& g, const V& decay, const V&) {
    g += decay * x;
  }
};

/// PyTorch's options, and what the group multiplies the learning rate by.
template <class Decay>
struct AdamOptionsWith {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = Decay::usual;
  double lr_factor = 1;
};
using AdamOptions = AdamOptionsWith<DecayInGradient>;

/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// θ ← θ − lr · m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)  at the t-th step of this
/// parameter  [Kingma15 Alg.1] in PyTorch's order of operations, the weight decay before it. One
/// pass over θ, g, m and v.
/// Numerics: 1 − βᵗ is taken in double; in float it has lost half of its digits at the first steps.
template <class Decay>
class AdamRule {
 public:
  using Options = AdamOptionsWith<Decay>;
  static constexpr const char* kind = Decay::kind;

  static void check(const Options& options) {
    const auto is_share = [](double beta) { return beta >= 0 && beta < 1; };
    expect_option(is_share(options.beta1), kind, "beta1", options.beta1, "at least 0 and below 1");
    expect_option(is_share(options.beta2), kind, "beta2", options.beta2, "at least 0 and below 1");
    expect_option(options.eps >= 0 && std::isfinite(options.eps), kind, "eps", options.eps,
                  "at least 0 and finite");
    expect_option(options.weight_decay >= 0 && std::isfinite(options.weight_decay), kind,
                  "weight_decay", options.weight_decay, "at least 0 and finite");
  }
  static std::vector<std::string> averages(const Options&) { return {"exp_avg", "exp_avg_sq"}; }

  AdamRule(const Options& options, double lr, Index step)
      : options_(options),
        lr_(lr),
        rate_(lr / (1 - std::pow(options.beta1, static_cast<double>(step)))),
        root_(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)))) {}

  template <class T>
  void update(T* value, const T* grad, const std::vector<T*>& averages, Index begin,
              Index count) const {
    using V = simd::Vector<T>;
    const V share1(1 - options_.beta1), beta2(options_.beta2), share2(1 - options_.beta2),
        eps(options_.eps), rate(rate_), root(root_);
    const V decay(options_.weight_decay), kept(1 - lr_ * options_.weight_decay);
    T* const exp_avg = averages[0] + begin;
    T* const exp_avg_sq = averages[1] + begin;
    value += begin, grad += begin;
    simd::for_each_packet<T>(count, [&](Index i, Index n) {
      V x = simd::load<V>(value + i, n, 0), g = simd::load<V>(grad + i, n, 0);
      V m = simd::load<V>(exp_avg + i, n, 0), v = simd::load<V>(exp_avg_sq + i, n, 0);
      if (options_.weight_decay != 0) Decay::apply(x, g, decay, kept);
      m += share1 * (g - m);
      v = v * beta2 + share2 * g * g;
      x -= rate * m / (sqrt(v) / root + eps);
      simd::store(value + i, n, x), simd::store(exp_avg + i, n, m),
          simd::store(exp_avg_sq + i, n, v);
    });
  }

 private:
  Options options_;
  double lr_, rate_, root_;
};

/// Adam, see AdamRule; `weight_decay` is in the gradient.
template <class T>
using Adam = Optimizer<T, AdamRule<DecayInGradient>>;

}  // namespace ATTN_ABI
}  // namespace attn
