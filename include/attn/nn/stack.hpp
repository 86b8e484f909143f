#pragma once

#include <attn/nn/transformer_options.hpp>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// N layers, one after the other, and optionally a norm after the last: PyTorch's `layers.0`,
/// `layers.1`, …, `norm`.
template <class T, class Layer>
struct Stack {
  std::vector<Layer> layers;
  std::optional<Norm<T>> norm;

  Stack(const TransformerStackOptions& options, const char* kind) {
    expect_option(options.num_layers >= 0, kind, "num_layers", options.num_layers, "at least 0");
    for (Index i = 0; i < options.num_layers; ++i) layers.emplace_back(options.layer);
    if (options.final_norm) norm.emplace(options.layer.norm_options());
  }

  /// x through every layer, `run(layer, x)`, and through the norm.
  template <class Self, class X, class Run>
  static auto pass(Self& self, const X& x, Run&& run) {
    auto y = detail::owned(x);
    for (auto& layer : self.layers) y = run(layer, y);
    return self.norm ? (*self.norm)(std::move(y)) : std::move(y);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    for (std::size_t i = 0; i < self.layers.size(); ++i)
      visitor("layers." + std::to_string(i), self.layers[i]);
    if (self.norm) Norm<T>::visit(*self.norm, "norm", visitor);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
