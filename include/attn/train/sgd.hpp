#ifndef ATTN_TARGET
#ifndef ATTN_TRAIN_SGD_HPP
#define ATTN_TRAIN_SGD_HPP

#include <attn/simd/simd.hpp>
#include <attn/train/optimizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// Where a step of SGD reads and writes; without momentum there is no buffer.
template <class T>
struct SgdStep {
  T* value;
  const T* grad;
  T* buffer;
  double lr;
  bool is_first;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/train/sgd.hpp>
#include <attn/simd/for_each_target.hpp>

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
    T* const buffer = state.empty() ? nullptr : state[0] + begin;
    const detail::SgdStep<T> step{value + begin, grad + begin, buffer, lr_, is_first_};
    ATTN_DISPATCH(sgd_step(options_, step, count));
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

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The update of an SgdRule for `count` elements.
template <class Options, class T>
void sgd_step(const Options& options, const SgdStep<T>& at, Index count) {
  using Vector = simd::Vector<T>;
  const Vector lr = at.lr;
  const Vector momentum = options.momentum;
  const Vector one_minus_dampening = 1 - options.dampening;
  const Vector decay = options.weight_decay;
  simd::for_each_packet<T>(count, [&](Index i, Index n) {
    const Vector x = simd::load<Vector>(at.value + i, n, 0);
    Vector g = simd::load<Vector>(at.grad + i, n, 0);
    if (options.weight_decay != 0) g += decay * x;
    if (at.buffer) {
      Vector b = g;
      if (!at.is_first)
        b = momentum * simd::load<Vector>(at.buffer + i, n, 0) + one_minus_dampening * g;
      simd::store(at.buffer + i, n, b);
      g = options.nesterov ? g + momentum * b : b;
    }
    simd::store(at.value + i, n, x - lr * g);
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
