#ifndef ATTN_TARGET
#ifndef ATTN_TRAIN_ADAM_HPP
#define ATTN_TRAIN_ADAM_HPP

#include <attn/train/optimizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// Where a step of Adam reads and writes.
template <class T>
struct AdamStep {
  T* value;
  const T* grad;
  T *exp_avg, *exp_avg_sq;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/train/adam.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Adam's weight decay: g ← g + λ θ, so that the decay passes through the averages as the gradient
/// does.
struct DecayInGradient {
  static constexpr const char* kind = "Adam";
  static constexpr double default_weight_decay = 0;
  template <class Vector>
  static void apply(Vector& x, Vector& g, const Vector& decay, const Vector&) {
    g += decay * x;
  }
};

/// PyTorch's options, and the factor by which a group multiplies the learning rate.
template <class Decay>
struct AdamOptionsWith {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = Decay::default_weight_decay;
  double lr_factor = 1;
};
using AdamOptions = AdamOptionsWith<DecayInGradient>;

/// m ← β₁ m + (1 − β₁) g
/// v ← β₂ v + (1 − β₂) g²
/// θ ← θ − lr · m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)  at the t-th step of this
/// parameter [Kingma15 Alg.1], in PyTorch's order of operations, with the weight decay before it.
/// Cost: one pass over θ, g, m and v.
/// Numerics: 1 − βᵗ is computed in double; in float it has lost half of its digits at the first
/// steps.
template <class WeightDecay>
class AdamRule {
 public:
  using Decay = WeightDecay;
  using Options = AdamOptionsWith<Decay>;
  static constexpr const char* kind = Decay::kind;

  static void check(const Options& options) {
    const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
    expect_option(is_beta(options.beta1), kind, "beta1", options.beta1, "at least 0 and below 1");
    expect_option(is_beta(options.beta2), kind, "beta2", options.beta2, "at least 0 and below 1");
    expect_option(options.eps >= 0 && std::isfinite(options.eps), kind, "eps", options.eps,
                  "at least 0 and finite");
    expect_option(options.weight_decay >= 0 && std::isfinite(options.weight_decay), kind,
                  "weight_decay", options.weight_decay, "at least 0 and finite");
  }
  static std::map<std::string, OptionValue> option_values(const Options& options) {
    return {{"beta1", options.beta1},
            {"beta2", options.beta2},
            {"eps", options.eps},
            {"weight_decay", options.weight_decay}};
  }
  static std::vector<std::string> state_names(const Options&) { return {"exp_avg", "exp_avg_sq"}; }

  AdamRule(const Options& options, double lr, Index step)
      : options_(options),
        lr_(lr),
        corrected_lr_(lr / (1 - std::pow(options.beta1, static_cast<double>(step)))),
        root_correction2_(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)))) {}

  template <class T>
  void update(T* value, const T* grad, const std::vector<T*>& state, Index begin,
              Index count) const {
    const detail::AdamStep<T> step{value + begin, grad + begin, state[0] + begin, state[1] + begin};
    ATTN_DISPATCH(adam_step(*this, step, count));
  }

  const Options& options() const { return options_; }
  double lr() const { return lr_; }
  /// lr / (1 − β₁ᵗ)
  double corrected_lr() const { return corrected_lr_; }
  /// √(1 − β₂ᵗ)
  double root_correction2() const { return root_correction2_; }

 private:
  Options options_;
  double lr_;
  double corrected_lr_;
  double root_correction2_;
};

/// Adam, see AdamRule; `weight_decay` is added to the gradient.
template <class T>
using Adam = Optimizer<T, AdamRule<DecayInGradient>>;

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The update of an AdamRule for `count` elements.
template <class Rule, class T>
ATTN_FLATTEN void adam_step(const Rule& rule, const AdamStep<T>& at, Index count) {
  using Vector = simd::Vector<T>;
  using Decay = typename Rule::Decay;
  const auto& options = rule.options();
  const Vector one_minus_beta1 = 1 - options.beta1;
  const Vector beta2 = options.beta2;
  const Vector one_minus_beta2 = 1 - options.beta2;
  const Vector eps = options.eps;
  const Vector corrected_lr = rule.corrected_lr();
  const Vector root_correction2 = rule.root_correction2();
  const Vector decay = options.weight_decay;
  const Vector one_minus_lr_decay = 1 - rule.lr() * options.weight_decay;
  simd::for_each_packet<T>(count, [&](Index i, Index n) {
    Vector x = simd::load<Vector>(at.value + i, n, 0);
    Vector g = simd::load<Vector>(at.grad + i, n, 0);
    Vector m = simd::load<Vector>(at.exp_avg + i, n, 0);
    Vector v = simd::load<Vector>(at.exp_avg_sq + i, n, 0);
    if (options.weight_decay != 0) Decay::apply(x, g, decay, one_minus_lr_decay);
    m += one_minus_beta1 * (g - m);
    v = v * beta2 + one_minus_beta2 * g * g;
    x -= corrected_lr * m / (sqrt(v) / root_correction2 + eps);
    simd::store(at.value + i, n, x);
    simd::store(at.exp_avg + i, n, m);
    simd::store(at.exp_avg_sq + i, n, v);
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
