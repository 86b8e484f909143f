#pragma once

#include <attn/math/activation.hpp>
#include <attn/math/arithmetic.hpp>
#include <attn/nn/dropout.hpp>
#include <attn/nn/linear.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's names. `dim_feedforward` is F.
struct FeedForwardOptions {
  Index d_model, dim_feedforward;
  Activation activation = Activation::relu;
  double dropout = 0;
  bool bias = true;
};

/// FFN(x) = max(0, x W₁ᵀ + b₁) W₂ᵀ + b₂, or with another activation   [Vaswani17 Eq.2]
/// SwiGLU(x) = (silu(x W₁ᵀ + b₁) ∘ (x W₃ᵀ + b₃)) W₂ᵀ + b₂   [Shazeer20 §2]
/// for every row x: (…, D) to (…, D). Parameters: `linear1`, `linear2` as in PyTorch; for SwiGLU
/// also `linear3`, LLaMA's w3. A further argument `rows` is that of Dropout.
template <class T>
class FeedForward : public Module<FeedForward<T>, T> {
 public:
  static constexpr const char* kind = "FeedForward";
  Linear<T> linear1, linear2;
  std::optional<Linear<T>> linear3;
  Activation activation;
  Dropout dropout;

  explicit FeedForward(const FeedForwardOptions& o)
      : linear1(
            {.in_features = checked(o).d_model, .out_features = o.dim_feedforward, .bias = o.bias}),
        linear2({.in_features = o.dim_feedforward, .out_features = o.d_model, .bias = o.bias}),
        activation(o.activation),
        dropout(o.dropout) {
    if (o.activation == Activation::swiglu)
      linear3.emplace(LinearOptions{
          .in_features = o.d_model, .out_features = o.dim_feedforward, .bias = o.bias});
  }
  FeedForward(const FeedForwardOptions& o, Random& random) : FeedForward(o) {
    this->initialize(random);
  }

  template <class Self, class X>
  static auto forward(Self& self, const X& x, const RowPositions& rows = {}) {
    return self.linear2(self.dropout(inner(self, x), rows));
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("linear1", self.linear1);
    visitor("linear2", self.linear2);
    if (self.linear3) visitor("linear3", *self.linear3);
  }

 private:
  template <class Self, class X>
  static auto inner(Self& self, const X& x) {
    if (!self.linear3) return activate(self.activation, self.linear1(x));
    auto [gate, value] = apply_each(LinearMap{}, x, Linear<T>::inputs(self.linear1),
                                    Linear<T>::inputs(*self.linear3));
    return activate(self.activation, std::move(gate)) * std::move(value);
  }
  static const FeedForwardOptions& checked(const FeedForwardOptions& o) {
    expect_option(o.d_model >= 1, kind, "d_model", o.d_model, "at least 1");
    expect_option(o.dim_feedforward >= 1, kind, "dim_feedforward", o.dim_feedforward, "at least 1");
    return o;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
