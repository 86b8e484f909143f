#pragma once

#include <attn/simd/simd.hpp>
#include <attn/train/optimizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options, and what the group multiplies the learning rate by.
struct SgdOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  double lr_factor = 1;
};

/// g ← g + λ θ
/// b ← μ b + (1 − τ) g, at first b ← g
/// θ ← θ − lr · b, with Nesterov's momentum θ − lr · (g + μ b), without momentum θ − lr · g
/// momentum μ, dampening τ, weight decay λ, as PyTorch's `SGD` [Sutskever13].
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
  static std::vector<std::string> averages(const Options& options) {
    return options.momentum != 0 ? std::vector<std::string>{"momentum_buffer"}
                                 : std::vector<std::string>{};
  }

  SgdRule(const Options& options, double lr, Index step)
      : options_(options), lr_(lr), first_(step == 1) {}

  template <class T>
  void update(T* value, const T* grad, const std::vector<T*>& averages, Index begin,
              Index count) const {
    using V = simd::Vector<T>;
    const V lr(lr_), momentum(options_.momentum), share(1 - options_.dampening),
        decay(options_.weight_decay);
    T* const buffer = averages.empty() ? nullptr : averages[0] + begin;
    value += begin, grad += begin;
    simd::for_each_packet<T>(count, [&](Index i, Index n) {
      V x = simd::load<V>(value + i, n, 0), g = simd::load<V>(grad + i, n, 0);
      if (options_.weight_decay != 0) g += decay * x;
      if (buffer) {
        const V b = first_ ? g : momentum * simd::load<V>(buffer + i, n, 0) + share * g;
        simd::store(buffer + i, n, b);
        g = options_.nesterov ? g + momentum * b : b;
      }
      simd::store(value + i, n, x - lr * g);
    });
  }

 private:
  Options options_;
  double lr_;
  bool first_;
};

/// Stochastic gradient descent, see SgdRule.
template <class T>
using Sgd = Optimizer<T, SgdRule>;

}  // namespace ATTN_ABI
}  // namespace attn
