#pragma once

#include <attn/nn/layer_norm.hpp>
#include <attn/nn/transformer_options.hpp>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// N layers, one after the other, and where it is wanted a LayerNorm after the last: PyTorch's
/// `layers.0`, `layers.1`, …, `norm`.
template <class T, class Layer>
struct Stack {
  std::vector<Layer> layers;
  std::optional<LayerNorm<T>> norm;

  template <std::same_as<Random>... R>
  Stack(const TransformerStackOptions& options, const char* kind, R&... random) {
    expect_option(options.num_layers >= 0, kind, "num_layers", options.num_layers, "at least 0");
    for (Index i = 0; i < options.num_layers; ++i) layers.emplace_back(options.layer, random...);
    if (options.final_norm) norm.emplace(options.layer.norm());
  }

  /// x through every layer: `step(layer, x)`, and the norm.
  template <class Self, class X, class Step>
  static X pass(Self& self, X x, Step&& step) {
    for (auto& layer : self.layers) x = step(layer, x);
    return self.norm ? (*self.norm)(std::move(x)) : std::move(x);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    for (std::size_t i = 0; i < self.layers.size(); ++i)
      visitor("layers." + std::to_string(i), self.layers[i]);
    if (self.norm) visitor("norm", *self.norm);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
