#pragma once

#include <attn/core/option.hpp>
#include <attn/math/layer_norm.hpp>
#include <attn/nn/module.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options: the width of the rows, and ε.
struct LayerNormOptions {
  Index normalized_shape;
  double eps = 1e-5;
  bool bias = true;
};

/// y = (x − E[x]) / √(Var[x] + ε) ∘ weight + bias for every row x: (…, D) to (…, D), as PyTorch's
/// `LayerNorm` over the last axis. `weight` is initialized to 1, `bias` to 0.
/// Errors: OptionError for a width below 1 or an ε below 0; ShapeError for another width.
template <class T>
class LayerNorm : public Module<LayerNorm<T>, T> {
 public:
  static constexpr const char* kind = "LayerNorm";
  Parameter<T, 1> weight;
  std::optional<Parameter<T, 1>> bias;
  double eps;

  explicit LayerNorm(const LayerNormOptions& options) : eps(options.eps) {
    expect_option(options.normalized_shape >= 1, kind, "normalized_shape", options.normalized_shape,
                  "at least 1");
    expect_option(eps >= 0 && std::isfinite(eps), kind, "eps", eps, "at least 0 and finite");
    weight = Parameter<T, 1>({options.normalized_shape});
    weight.edit().flat().setOnes();
    if (options.bias) bias.emplace(weight.shape());
  }

  template <class Self, class X>
  static auto forward(Self& self, X&& x) {
    return apply(LayerNormalization{self.eps}, std::forward<X>(x), self.weight, self.bias);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
