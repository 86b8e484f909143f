#pragma once

#include <attn/simd/simd.hpp>
#include <attn/train/optimizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options, and the factor by which a group multiplies the learning rate.
struct SgdOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  double lr_factor = 1;
};

/// g ← g + λ θ
/// b ← μ b + (1 − τ) g, at the first step b ← g
/// θ ← θ − lr · b, with Nesterov's momentum θ − lr · (g + μ b), without momentum θ − lr · g
/// with momentum μ, dampening τ and weight decay λ, as PyTorch's `SGD` [Sutskever13].
class SgdRule {
 public:
  using Options = SgdOptions;
  static constexpr const char* kind = "Sgd";

  static void check(const Options& options) {
    expect_option(options.momentum >= 0 && std::isfinite(options.momentum), kind, "momentum",
                  options.momentum, "at least 0 and finite");
    expect_option(std::isfinite(options.dampening), kind, "dampening", options.dampening, "finite");
    expect_option(options.weight_decay >= 0 && std::isfinite(options.weight_decay), kind,
                  "weight_decay", options.weight_decay, "at least 0 and finite");
    expect_option(!options.nesterov || (options.momentum > 0 && options.dampening == 0), kind,
                  "nesterov", "true", "with a momentum and without dampening");
  }
  static std::map<std::string, OptionValue> option_values(const Options& options) {
    return {{"momentum", options.momentum},
            {"dampening", options.dampening},
            {"weight_decay", options.weight_decay},
            {"nesterov", options.nesterov}};
  }
  static std::vector<std::string> state_names(const Options& options) {
    if (options.momentum == 0) return {};
    return {"momentum_buffer"};
  }

  SgdRule(const Options& options, double lr, Index step)
      : options_(options), lr_(lr), is_first_(step == 1) {}

  template <class T>
  void update(T* value, const T* grad, const std::vector<T*>& state, Index begin,
              Index count) const {
    using Vector = simd::Vector<T>;
    const Vector lr(lr_), momentum(options_.momentum), one_minus_dampening(1 - options_.dampening),
        decay(options_.weight_decay);
    T* const theta = value + begin;
    const T* const dtheta = grad + begin;
    T* const buffer = state.empty() ? nullptr : state[0] + begin;
    simd::for_each_packet<T>(count, [&](Index i, Index n) {
      const Vector x = simd::load<Vector>(theta + i, n, 0);
      Vector g = simd::load<Vector>(dtheta + i, n, 0);
      if (options_.weight_decay != 0) g += decay * x;
      if (buffer) {
        Vector b = g;
        if (!is_first_)
          b = momentum * simd::load<Vector>(buffer + i, n, 0) + one_minus_dampening * g;
        simd::store(buffer + i, n, b);
        g = options_.nesterov ? g + momentum * b : b;
      }
      simd::store(theta + i, n, x - lr * g);
    });
  }

 private:
  Options options_;
  double lr_;
  bool is_first_;
};

/// Stochastic gradient descent, see SgdRule.
template <class T>
using Sgd = Optimizer<T, SgdRule>;

}  // namespace ATTN_ABI
}  // namespace attn
