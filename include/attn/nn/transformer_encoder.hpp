#pragma once

#include <attn/nn/residual.hpp>
#include <attn/nn/stack.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The left half of the paper's Figure 1: self-attention, then a feed-forward network, each in a
/// residual   [Vaswani17 §3.1]
///
/// src (B, L, D), or (L, D), gives the same shape; any rule says what a position may look at.
/// Parameters are those of PyTorch's `TransformerEncoderLayer`; for SwiGLU `linear3` as well. Zero,
/// norms 1, without a Random; with one, as their layers start.
/// Errors: those of MultiHeadAttention, FeedForward and LayerNorm.
template <class T, class Kernel = Tiled>
class TransformerEncoderLayer : public Module<TransformerEncoderLayer<T, Kernel>, T> {
 public:
  static constexpr const char* kind = "TransformerEncoderLayer";
  MultiHeadAttention<T, Kernel> self_attn;
  FeedForward<T> feed_forward;
  LayerNorm<T> norm1, norm2;
  Residual residual;

  template <std::same_as<Random>... R>
  explicit TransformerEncoderLayer(const TransformerLayerOptions& options, R&... random)
      : self_attn(options.attention(), random...),
        feed_forward(options.feed_forward(), random...),
        norm1(options.norm()),
        norm2(options.norm()),
        residual{Dropout(options.dropout), options.norm_first} {}

  template <class Self, class X, Rule R = NoMask>
  static auto forward(Self& self, const X& src, const R& rule = {}) {
    const auto x = self.residual(src, self.norm1,
                                 [&](const auto& y) { return self.self_attn(y, y, y, rule); });
    return self.residual(x, self.norm2, self.feed_forward);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("self_attn", self.self_attn);
    FeedForward<T>::visit(self.feed_forward, visitor);
    visitor("norm1", self.norm1);
    visitor("norm2", self.norm2);
  }
};

/// N encoder layers   [Vaswani17 §3.1]: src (B, L, D), or (L, D), gives the same shape, under any
/// rule. Causal{} makes it a decoder-only model. Parameters are those of PyTorch's
/// `TransformerEncoder`.
template <class T, class Kernel = Tiled>
class TransformerEncoder : public Module<TransformerEncoder<T, Kernel>, T>,
                           public Stack<T, TransformerEncoderLayer<T, Kernel>> {
 public:
  static constexpr const char* kind = "TransformerEncoder";

  template <std::same_as<Random>... R>
  explicit TransformerEncoder(const TransformerStackOptions& options, R&... random)
      : Stack<T, TransformerEncoderLayer<T, Kernel>>(options, kind, random...) {}

  template <class Self, class X, Rule R = NoMask>
  static auto forward(Self& self, const X& src, const R& rule = {}) {
    return Self::pass(self, to_tensor(src),
                      [&](auto& layer, const auto& x) { return layer(x, rule); });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
