#pragma once

#include <attn/math/rows.hpp>
#include <attn/math/softmax.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options of `cross_entropy`.
struct CrossEntropyOptions {
  Index ignore_index = -100;   ///< a target that does not count
  double label_smoothing = 0;  ///< ε, at least 0 and at most 1
};

/// A loss, and what its backward needs: log Σ e^z of each row, and how many rows count.
template <class T>
struct CrossEntropy {
  T loss;
  Tensor<T, 1> log_sum_exp;
  Index count;
};

/// −Σ_v q_v log p_v, p = softmax(z) for the logits z (…, V) of each row, q_v = (1 − ε)·[v is the
/// target] + ε / V   [Szegedy15 §7; Vaswani17 §5.4], its mean over the rows whose target is not
/// ignore_index; 0 where there is none.
/// Numerics: log p_v = z_v − log Σ e^z, so that no probability is ever too small.
/// Errors: ShapeError unless there is a target for each row; OptionError for a target outside 0 … V
/// − 1, or ε outside 0 … 1.
template <class T, int N>
CrossEntropy<T> cross_entropy_forward(const Tensor<T, N>& logits,
                                      const Tensor<Index, N - 1>& targets,
                                      const CrossEntropyOptions& options) {
  const Index V = logits.shape().back(), rows = targets.size();
  const double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1))
    throw OptionError("cross_entropy: label_smoothing = " + std::to_string(smoothing) +
                      " must be at least 0 and at most 1");
  if (!std::equal(targets.shape().begin(), targets.shape().end(), logits.shape().begin()))
    throw ShapeError("cross_entropy: targets " + to_string(targets.shape()) +
                     " must have the shape of the logits " + to_string(logits.shape()) +
                     " without the last axis");
  for (Index i = 0; i < rows; ++i)
    if (const Index t = targets.data()[i]; t != options.ignore_index && (t < 0 || t >= V))
      throw OptionError("cross_entropy: target " + std::to_string(t) +
                        " must be at least 0 and below the number of classes, " +
                        std::to_string(V) +
                        ", or ignore_index = " + std::to_string(options.ignore_index));

  CrossEntropy<T> result{T(0), Tensor<T, 1>({rows}), 0};
  Tensor<double, 1> losses({rows});
  for_each_row(rows, V, [&](Index i) {
    const Index t = targets.data()[i];
    if (t == options.ignore_index) return;
    using Packet = simd::Vector<T>;
    const std::span<const T> z(logits.data() + i * V, static_cast<std::size_t>(V));
    const T most = row_maximum(z);
    const T exponentials = row_sum<T>(V, [&](Index v, Index n) {
      return exp(simd::load<Packet>(z.data() + v, n, -std::numeric_limits<T>::infinity()) - most);
    });
    const T log_sum_exp = most + std::log(exponentials);
    result.log_sum_exp(i) = log_sum_exp;
    losses(i) = (1 - smoothing) * static_cast<double>(log_sum_exp - z[static_cast<std::size_t>(t)]);
    if (smoothing > 0) {
      const T below = row_sum<T>(V, [&](Index v, Index n) {
        return log_sum_exp - simd::load<Packet>(z.data() + v, n, log_sum_exp);
      });
      losses(i) += smoothing / static_cast<double>(V) * static_cast<double>(below);
    }
  });
  double sum = 0;
  for (Index i = 0; i < rows; ++i)
    if (targets.data()[i] != options.ignore_index) sum += losses(i), ++result.count;
  if (result.count > 0) result.loss = static_cast<T>(sum / static_cast<double>(result.count));
  return result;
}

/// dz_v = d_loss · (p_v − q_v) / (rows that count); 0 for a row that does not.
template <class T, int N>
Tensor<T, N> cross_entropy_backward(T d_loss, const Tensor<T, N>& logits,
                                    const Tensor<Index, N - 1>& targets,
                                    const CrossEntropyOptions& options,
                                    const CrossEntropy<T>& forward) {
  using Packet = simd::Vector<T>;
  const Index V = logits.shape().back(), rows = targets.size();
  auto dz = Tensor<T, N>::for_overwrite(logits.shape());
  const T share = forward.count > 0 ? d_loss / static_cast<T>(forward.count) : T(0);
  const T others = static_cast<T>(options.label_smoothing / static_cast<double>(V)),
          target = static_cast<T>(1 - options.label_smoothing);
  for_each_row(rows, V, [&](Index i) {
    T* const to = dz.data() + i * V;
    if (targets.data()[i] == options.ignore_index) {
      std::fill_n(to, V, T(0));
      return;
    }
    const Packet log_sum_exp = forward.log_sum_exp(i);
    simd::for_each_packet<T>(V, [&](Index v, Index n) {
      simd::store(
          to + v, n,
          share *
              (exp(simd::load<Packet>(logits.data() + i * V + v, n, T(0)) - log_sum_exp) - others));
    });
    to[targets.data()[i]] -= share * target;
  });
  return dz;
}

}  // namespace ATTN_ABI
}  // namespace attn
