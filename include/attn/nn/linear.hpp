#pragma once

#include <attn/core/option.hpp>
#include <attn/math/linear.hpp>
#include <attn/nn/initialize.hpp>
#include <attn/nn/module.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct LinearOptions {
  Index in_features, out_features;
  bool bias = true;
};

/// y = x Wᵀ + b, as PyTorch's `Linear`: (…, in) to (…, out). Parameters: `weight` (out, in) and
/// `bias` (out). They are zero without a Random, as before loading; with one, U(−1/√in, 1/√in).
/// Errors: OptionError if a size is negative.
template <class T>
class Linear : public Module<Linear<T>, T> {
 public:
  static constexpr const char* kind = "Linear";
  Parameter<T, 2> weight;
  std::optional<Parameter<T, 1>> bias;

  explicit Linear(const LinearOptions& options) {
    if (options.in_features < 0 || options.out_features < 0)
      throw OptionError("Linear: in_features = " + std::to_string(options.in_features) +
                        " and out_features = " + std::to_string(options.out_features) +
                        " must be at least 0");
    weight = Parameter<T, 2>({options.out_features, options.in_features});
    if (options.bias) bias.emplace(Shape<1>{options.out_features});
  }
  Linear(const LinearOptions& options, Random& random) : Linear(options) { initialize(random); }

  template <class Self, class X>
  static auto forward(Self& self, const X& x) {
    return apply(LinearMap{}, x, weight_rows(self.weight), self.bias);
  }
  /// What LinearMap is applied to besides x.
  template <class Self>
  static auto inputs(Self& self) {
    return std::tuple<decltype(weight_rows(self.weight)), decltype((self.bias))>(
        weight_rows(self.weight), self.bias);
  }

  template <class F>
  void for_each_weight(F&& f) {
    f(weight);
  }
  void initialize(Random& random) {
    const Index fan_in = weight.shape()[1];
    fan_in_uniform(weight.edit(), fan_in, random);
    if (bias) fan_in_uniform(bias->edit(), fan_in, random);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
