#ifndef ATTN_TARGET
#ifndef ATTN_MATH_CROSS_ENTROPY_HPP
#define ATTN_MATH_CROSS_ENTROPY_HPP

#include <attn/autograd/apply.hpp>
#include <attn/core/option.hpp>
#include <attn/math/rows.hpp>
#include <attn/math/softmax.hpp>

#define ATTN_KERNELS <attn/math/cross_entropy.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options of `cross_entropy`.
struct CrossEntropyOptions {
  Index ignore_index = -100;   ///< a target that does not count
  double label_smoothing = 0;  ///< ε, at least 0 and at most 1
};

/// L = −Σ_v q_v log p_v, averaged over the rows whose target is not ignore_index; 0 if there are
/// none. p = softmax(z) for the logits z (…, V) of a row, q_v = (1 − ε)·[v is the target] + ε / V
/// [Szegedy15 §7; Vaswani17 §5.4].   dz_v = dL · (p_v − q_v) / (number of rows that count)
/// Numerics: log p_v = z_v − log Σ e^z, so that no probability underflows.
/// Errors: ShapeError unless there is a target for each row; OptionError for a target outside
/// 0 … V − 1, or ε outside 0 … 1.
struct CrossEntropy {
  CrossEntropyOptions options;

  template <class T, int N>
  Tensor<T, 1> forward(const Tensor<T, N>& logits, const Tensor<Index, N - 1>& targets) const {
    return compute(logits, targets).loss;
  }
  template <class T, int N, int M>
  auto forward(const Recording&, const Input<T, N>& logits, const Input<Index, M>& targets) const {
    Result<T> result = compute(logits.value(), targets.value());
    return OutputAndSaved{std::move(result.loss),
                          Saved<T, N>{logits.shared_value(), targets.shared_value(),
                                      std::move(result.log_sum_exp), result.count}};
  }

  template <class T, int N, int M>
  void backward(const Tensor<T, 1>& d_loss, const auto& saved, const Input<T, N>& logits,
                const Input<Index, M>&) const {
    const Index V = logits.shape().back();
    auto dz = Tensor<T, N>::for_overwrite(logits.shape());
    const T factor = saved.count > 0 ? d_loss(0) / static_cast<T>(saved.count) : T(0);
    detail::for_each_row(saved.targets->size(), V, [&](Index i) {
      const Index target = saved.targets->data()[i];
      T* const row = dz.data() + i * V;
      if (target == options.ignore_index) {
        std::fill_n(row, V, T(0));
        return;
      }
      const std::span<const T> z(saved.logits->data() + i * V, static_cast<std::size_t>(V));
      const T uniform = static_cast<T>(options.label_smoothing / static_cast<double>(V));
      ATTN_DISPATCH(cross_entropy_backward_row<T>(z, saved.log_sum_exp(i), factor, uniform, row));
      row[target] -= factor * static_cast<T>(1 - options.label_smoothing);
    });
    logits.add(std::move(dz));
  }

 private:
  /// The loss, log Σ e^z of each row, and how many rows count.
  template <class T>
  struct Result {
    Tensor<T, 1> loss, log_sum_exp;
    Index count;
  };
  template <class T, int N>
  struct Saved {
    std::shared_ptr<const Tensor<T, N>> logits;
    std::shared_ptr<const Tensor<Index, N - 1>> targets;
    Tensor<T, 1> log_sum_exp;
    Index count;
  };

  template <class T, int N>
  Result<T> compute(const Tensor<T, N>& logits, const Tensor<Index, N - 1>& targets) const {
    check(logits.shape(), targets);
    const Index V = logits.shape().back();
    const Index rows = targets.size();
    Result<T> result{Tensor<T, 1>({1}), Tensor<T, 1>({rows}), 0};
    Tensor<double, 1> losses({rows});
    detail::for_each_row(rows, V, [&](Index i) {
      const Index target = targets.data()[i];
      if (target == options.ignore_index) return;
      const std::span<const T> z(logits.data() + i * V, static_cast<std::size_t>(V));
      result.log_sum_exp(i) = ATTN_DISPATCH(log_sum_exp<T>(z));
      losses(i) = loss_of_row(z, target, result.log_sum_exp(i));
    });
    double sum = 0;
    for (Index i = 0; i < rows; ++i) {
      if (targets.data()[i] == options.ignore_index) continue;
      sum += losses(i);
      ++result.count;
    }
    if (result.count > 0) result.loss(0) = static_cast<T>(sum / static_cast<double>(result.count));
    return result;
  }

  template <class T>
  double loss_of_row(std::span<const T> z, Index target, T log_sum_exp) const {
    const double smoothing = options.label_smoothing;
    const T of_target = log_sum_exp - z[static_cast<std::size_t>(target)];
    const double loss = (1 - smoothing) * static_cast<double>(of_target);
    if (smoothing == 0) return loss;
    const T of_all = ATTN_DISPATCH(sum_of_differences<T>(log_sum_exp, z));
    return loss + smoothing / static_cast<double>(z.size()) * static_cast<double>(of_all);
  }

  template <std::size_t N, int M>
  void check(const std::array<Index, N>& logits, const Tensor<Index, M>& targets) const {
    const Index V = logits.back();
    expect_option(options.label_smoothing >= 0 && options.label_smoothing <= 1, "cross_entropy",
                  "label_smoothing", options.label_smoothing, "at least 0 and at most 1");
    if (!std::equal(targets.shape().begin(), targets.shape().end(), logits.begin()))
      throw ShapeError("cross_entropy: targets " + to_string(targets.shape()) +
                       " must have the shape of the logits " + to_string(logits) +
                       " without the last axis");
    for (Index i = 0; i < targets.size(); ++i)
      if (const Index t = targets.data()[i]; t != options.ignore_index && (t < 0 || t >= V))
        throw OptionError("cross_entropy: target " + std::to_string(t) +
                          " must be at least 0 and below the number of classes, " +
                          std::to_string(V) +
                          ", or ignore_index = " + std::to_string(options.ignore_index));
  }
};

/// The cross-entropy of logits (…, V) and a target class (…) for each row, averaged: a tensor of
/// one element. See CrossEntropy.
template <TensorOrVariable X, int M>
auto cross_entropy(const X& logits, const Tensor<Index, M>& targets,
                   const CrossEntropyOptions& options = {}) {
  static_assert(M == X::axes - 1, "the targets have the axes of the logits but the last");
  return apply(CrossEntropy{options}, logits, targets);
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// log Σ e^z
template <class T>
T log_sum_exp(std::span<const T> z) {
  using Vector = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  const T maximum = row_maximum(z);
  const T sum = row_sum<T>(static_cast<Index>(z.size()), [&](Index v, Index n) {
    return exp(simd::load<Vector>(z.data() + v, n, none) - maximum);
  });
  return maximum + std::log(sum);
}

/// Σ (a − z_v)
template <class T>
T sum_of_differences(T a, std::span<const T> z) {
  return row_sum<T>(static_cast<Index>(z.size()), [&](Index v, Index n) {
    return a - simd::load<simd::Vector<T>>(z.data() + v, n, a);
  });
}

/// dz_v = factor · (p_v − uniform), p_v = e^(z_v − log Σ e^z)
template <class T>
void cross_entropy_backward_row(std::span<const T> z, T log_sum_exp, T factor, T uniform, T* dz) {
  using Vector = simd::Vector<T>;
  simd::for_each_packet<T>(static_cast<Index>(z.size()), [&](Index v, Index n) {
    const Vector p = exp(simd::load<Vector>(z.data() + v, n, T(0)) - Vector(log_sum_exp));
    simd::store(dz + v, n, factor * (p - uniform));
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
