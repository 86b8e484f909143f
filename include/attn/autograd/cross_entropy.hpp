#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/math/cross_entropy.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// −Σ_v q_v log p_v for the logits (…, V) of each target (…), their mean: see
/// cross_entropy_forward. A single number, `.value()(0)`, or `(0)` of plain logits'.
template <class T, int N>
Tensor<T, 1> cross_entropy(const Tensor<T, N>& logits, const Tensor<Index, N - 1>& targets,
                           const CrossEntropyOptions& options = {}) {
  Tensor<T, 1> loss({1});
  loss(0) = cross_entropy_forward(logits, targets, options).loss;
  return loss;
}
template <class T, int N>
Variable<T, 1> cross_entropy(const Variable<T, N>& logits, const Tensor<Index, N - 1>& targets,
                             const CrossEntropyOptions& options = {}) {
  auto forward = cross_entropy_forward(logits.value(), targets, options);
  Tensor<T, 1> loss({1});
  loss(0) = forward.loss;
  return logits.tape().record(
      std::move(loss),
      [logits = logits.kept(), targets, options, forward = std::move(forward),
       dz = logits.gradient()](const Tensor<T, 1>& dy) {
        dz->add(cross_entropy_backward(dy(0), *logits, targets, options, forward));
      },
      logits);
}

}  // namespace ATTN_ABI
}  // namespace attn
