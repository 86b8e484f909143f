#pragma once

#include <attn/autograd/norms.hpp>
#include <attn/core/option.hpp>
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
/// `LayerNorm` over the last axis. `weight` begins with 1, `bias` with 0. Errors: OptionError for a
/// width below 1 or an ε below 0; ShapeError for another width.
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
    if (options.bias) bias.emplace(weight.value().shape());
  }

  template <class Self, class X>
  static auto forward(Self& self, X&& x) {
    return layer_norm(to_tensor(std::forward<X>(x)), beside(x, self.weight), beside(x, self.bias),
                      self.eps);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    if (self.bias) visitor("bias", *self.bias);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
