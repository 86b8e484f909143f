#pragma once

#include <attn/core/executor.hpp>
#include <attn/nn/initialise.hpp>
#include <attn/nn/module.hpp>
#include <optional>

namespace attn::inline ATTN_ABI {

/// y = x Wᵀ + b for every row x: (…, in), W (out, in), b (out) or none, give (…, out). Rows are computed in parallel, in
/// blocks whose size does not depend on the number of threads. Errors: ShapeError if W does not take rows of x's width.
template <class T, int N>
Tensor<T, N> linear(const TensorView<const T, N>& x, const TensorView<const T, 2>& weight, const std::type_identity_t<std::optional<TensorView<const T, 1>>>& bias) {
  constexpr Index block = 64;
  Shape<N> shape = x.shape();
  if (shape.back() != weight.shape()[1])
    throw ShapeError("Linear: input " + to_string(x.shape()) + " must have in_features = " + std::to_string(weight.shape()[1]) + " on its last axis");
  shape.back() = weight.shape()[0];
  Tensor<T, N> y(shape);
  const auto X = x.as_rows();
  auto Y = y.as_rows();
  const auto W = weight.matrix();
  parallel_for((Y.rows() + block - 1) / block, [&](Index task) {
    const Index begin = task * block, rows = std::min(block, Y.rows() - begin);
    auto part = Y.middleRows(begin, rows);
    part.noalias() = X.middleRows(begin, rows) * W.transpose();
    if (bias) part.rowwise() += bias->flat().transpose();
  });
  return y;
}

struct LinearOptions {
  Index in_features, out_features;
  bool bias = true;
};

/// y = x Wᵀ + b, as PyTorch's `Linear`: parameters `weight` (out, in) and `bias` (out). Zero without a Random, as a layer
/// about to be loaded is; with one, U(−1/√in, 1/√in). Errors: OptionError if a size is negative.
template <class T>
class Linear : public Module<Linear<T>, T> {
 public:
  static constexpr const char* kind = "Linear";
  Parameter<T, 2> weight;
  std::optional<Parameter<T, 1>> bias;

  explicit Linear(const LinearOptions& options) {
    if (options.in_features < 0 || options.out_features < 0)
      throw OptionError("Linear: in_features = " + std::to_string(options.in_features) + " and out_features = " + std::to_string(options.out_features) + " must be at least 0");
    weight = Parameter<T, 2>({options.out_features, options.in_features});
    if (options.bias) bias.emplace(Shape<1>{options.out_features});
  }
  Linear(const LinearOptions& options, Random& random) : Linear(options) {
    fan_in_uniform(weight.value, options.in_features, random);
    if (bias) fan_in_uniform(bias->value, options.in_features, random);
  }

  template <int N>
  Tensor<T, N> operator()(const Tensor<T, N>& x) const {
    return (*this)(x.view());
  }
  template <int N>
  Tensor<T, N> operator()(const TensorView<const T, N>& x) const {
    return bias ? linear(x, weight.value.view(), bias->value.view()) : linear(x, weight.value.view(), std::nullopt);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }
};

}  // namespace attn::inline ATTN_ABI
