#pragma once

#include <attn/math/product.hpp>
#include <attn/nn/initialise.hpp>
#include <attn/nn/module.hpp>
#include <optional>

namespace attn::inline ATTN_ABI {

/// y = x Wᵀ + b for every row x: (…, in), Wᵀ packed, b (out) or none, give (…, out). Rows and columns are computed in parallel; what a
/// row gets does not depend on how many there are. Errors: ShapeError if W does not take rows of x's width.
template <class T, int N>
Tensor<T, N> linear(const TensorView<const T, N>& x, const PackedMatrix<T>& weight, const std::type_identity_t<std::optional<TensorView<const T, 1>>>& bias) {
  Shape<N> shape = x.shape();
  if (shape.back() != weight.rows())
    throw ShapeError("Linear: input " + to_string(x.shape()) + " must have in_features = " + std::to_string(weight.rows()) + " on its last axis");
  shape.back() = weight.columns();
  const auto X = x.even_rows();
  if (!X) {
    const Tensor<T, N> copy = x.copy();
    return linear(copy.view(), weight, bias);
  }
  Tensor<T, N> y = Tensor<T, N>::for_overwrite(shape);
  parallel_multiply(LeftFactor<T>{X->data(), X->outerStride(), 1}, X->rows(), weight, Summand<T>{bias ? bias->data() : nullptr}, y.data(), shape.back());
  return y;
}
/// The same with W (out, in) as it is, packed for this call.
template <class T, int N>
Tensor<T, N> linear(const TensorView<const T, N>& x, const TensorView<const T, 2>& weight,
                    const std::type_identity_t<std::optional<TensorView<const T, 1>>>& bias) {
  return linear(x, PackedMatrix<T>::transposed(weight), bias);
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
      throw OptionError("Linear: in_features = " + std::to_string(options.in_features) + " and out_features = " + std::to_string(options.out_features) +
                        " must be at least 0");
    weight = Parameter<T, 2>({options.out_features, options.in_features});
    if (options.bias) bias.emplace(Shape<1>{options.out_features});
  }
  Linear(const LinearOptions& options, Random& random) : Linear(options) {
    fan_in_uniform(weight.edit(), options.in_features, random);
    if (bias) fan_in_uniform(bias->edit(), options.in_features, random);
  }

  template <int N>
  Tensor<T, N> operator()(const Tensor<T, N>& x) const {
    return (*this)(x.view());
  }
  template <int N>
  Tensor<T, N> operator()(const TensorView<const T, N>& x) const {
    const auto packed = packed_.get(weight.stamp(), [&] { return PackedMatrix<T>::transposed(weight.value()); });
    return bias ? linear(x, *packed, bias->value().view()) : linear(x, *packed, std::nullopt);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }

 private:
  MadeFrom<PackedMatrix<T>> packed_;
};

}  // namespace attn::inline ATTN_ABI
