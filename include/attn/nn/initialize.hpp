#pragma once

#include <attn/autograd/named_parameter.hpp>
#include <attn/core/random.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// U(−a, a) with a = √(6 / (fan_in + fan_out)) for a weight (fan_out, fan_in), as PyTorch's
/// `xavier_uniform_` [Glorot10 Eq.16].
template <class T>
void xavier_uniform(const TensorView<T, 2>& weight, Random& random) {
  const Index fans = std::max<Index>(1, weight.shape()[0] + weight.shape()[1]);
  const double bound = std::sqrt(6.0 / static_cast<double>(fans));
  random.uniform(weight, -bound, bound);
}
/// f(matrix) for every matrix among a model's parameters, to be changed.
template <class T, class F>
void for_each_matrix(const std::vector<NamedParameter<T>>& parameters, F&& f) {
  for (const auto& p : parameters)
    if (p.shape.size() == 2) f(TensorView<T, 2>(p.edit().data(), {p.shape[0], p.shape[1]}));
}
/// xavier_uniform of every matrix, as PyTorch's `Transformer` initializes them.
template <class T>
void xavier_uniform_matrices(const std::vector<NamedParameter<T>>& parameters, Random& random) {
  for_each_matrix(parameters, [&](const auto& matrix) { xavier_uniform(matrix, random); });
}

/// U(−1/√fan_in, 1/√fan_in), as PyTorch's `Linear` initializes its weight and its bias.
template <class T, int N>
void fan_in_uniform(Tensor<T, N>& parameter, Index fan_in, Random& random) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<Index>(1, fan_in)));
  random.uniform(parameter, -bound, bound);
}

}  // namespace ATTN_ABI
}  // namespace attn
