#pragma once

#include <attn/nn/residual.hpp>
#include <attn/nn/stack.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What a decoder layer keeps from step to step: keys and values of the positions so far, and of
/// the encoder's output.
template <class T>
struct DecoderLayerCache {
  KeyValueCache<T> self, memory;
};

/// The right half of the paper's Figure 1: self-attention, attention to the encoder's output, a
/// feed-forward network, each in a residual   [Vaswani17 §3.1]
///
/// tgt (B, L, D) and memory (B, S, D), or both without the batch axis, give tgt's shape; one rule
/// for each attention.
/// Parameters are those of PyTorch's `TransformerDecoderLayer`; for SwiGLU `linear3` as well. Zero,
/// norms 1, without a Random.
/// Errors: those of MultiHeadAttention, FeedForward and LayerNorm.
template <class T, class Kernel = Tiled>
class TransformerDecoderLayer : public Module<TransformerDecoderLayer<T, Kernel>, T> {
 public:
  static constexpr const char* kind = "TransformerDecoderLayer";
  MultiHeadAttention<T, Kernel> self_attn, multihead_attn;
  FeedForward<T> feed_forward;
  LayerNorm<T> norm1, norm2, norm3;
  Residual residual;

  template <std::same_as<Random>... R>
  explicit TransformerDecoderLayer(const TransformerLayerOptions& options, R&... random)
      : self_attn(options.attention(), random...),
        multihead_attn(options.attention(), random...),
        feed_forward(options.feed_forward(), random...),
        norm1(options.norm()),
        norm2(options.norm()),
        norm3(options.norm()),
        residual{Dropout(options.dropout), options.norm_first} {}

  template <class Self, class X, class M, Rule R = NoMask, Rule RM = NoMask>
  static auto forward(Self& self, const X& tgt, const M& memory, const R& tgt_rule = {},
                      const RM& memory_rule = {}) {
    return sublayers(
        self, tgt, [&](const auto& x) { return self.self_attn(x, x, x, tgt_rule); },
        [&](const auto& x) { return self.multihead_attn(x, memory, memory, memory_rule); });
  }

  /// A cache of `capacity` positions for `beam` sequences for each of memory (B, S, D), which is in
  /// it.
  DecoderLayerCache<T> cache(const Tensor<T, 3>& memory, Index capacity, Index beam) const {
    const Index B = memory.shape()[0];
    DecoderLayerCache<T> made{self_attn.cache(B * beam, capacity),
                              multihead_attn.cache(B, memory.shape()[1])};
    multihead_attn.append(made.memory, memory, memory);
    return made;
  }
  /// Appends positions, with a result that is bitwise that of all positions at once. The sequences
  /// of a beam are queries to the same memory; `memory_offsets` say where they stand for its rule.
  template <Rule R, Rule RM>
  Tensor<T, 3> step(const Tensor<T, 3>& tgt, DecoderLayerCache<T>& cache, const R& tgt_rule,
                    const RM& memory_rule,
                    const std::optional<Offsets>& memory_offsets = {}) const {
    const auto attend_to_self = [&](const auto& x) {
      self_attn.append(cache.self, x, x);
      return self_attn.attend(x, cache.self, tgt_rule);
    };
    const auto attend_to_memory = [&](const Tensor<T, 3>& x) {
      const Index B = cache.memory.batch(), D = x.shape()[2];
      return multihead_attn
          .attend(x.reshape({B, B > 0 ? x.shape()[0] * x.shape()[1] / B : 0, D}).copy(),
                  cache.memory, memory_rule, memory_offsets)
          .reshape({x.shape()[0], x.shape()[1], D});
    };
    return sublayers(*this, tgt, attend_to_self, attend_to_memory);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("self_attn", self.self_attn);
    visitor("multihead_attn", self.multihead_attn);
    FeedForward<T>::visit(self.feed_forward, visitor);
    visitor("norm1", self.norm1);
    visitor("norm2", self.norm2);
    visitor("norm3", self.norm3);
  }

 private:
  template <class Self, class X, class AttendToSelf, class AttendToMemory>
  static auto sublayers(Self& self, const X& tgt, AttendToSelf&& attend_to_self,
                        AttendToMemory&& attend_to_memory) {
    const auto x = self.residual(tgt, self.norm1, attend_to_self);
    const auto y = self.residual(x, self.norm2, attend_to_memory);
    return self.residual(y, self.norm3, self.feed_forward);
  }
};

/// What a decoder keeps from step to step.
template <class T>
struct DecoderCache {
  std::vector<DecoderLayerCache<T>> layers;

  /// Sequence b becomes what sequence `from[b]` was, its memory apart.
  void select(const std::vector<Index>& from) {
    for (auto& layer : layers) layer.self.select(from);
  }
};

/// N decoder layers   [Vaswani17 §3.1]: tgt (B, L, D) and memory (B, S, D) give (B, L, D), under
/// any two rules, as `decoder(tgt, memory, Causal{}, Padding{lengths})`. Parameters are those of
/// PyTorch's `TransformerDecoder`.
template <class T, class Kernel = Tiled>
class TransformerDecoder : public Module<TransformerDecoder<T, Kernel>, T>,
                           public Stack<T, TransformerDecoderLayer<T, Kernel>> {
 public:
  static constexpr const char* kind = "TransformerDecoder";

  template <std::same_as<Random>... R>
  explicit TransformerDecoder(const TransformerStackOptions& options, R&... random)
      : Stack<T, TransformerDecoderLayer<T, Kernel>>(options, kind, random...) {}

  template <class Self, class X, class M, Rule R = NoMask, Rule RM = NoMask>
  static auto forward(Self& self, const X& tgt, const M& memory, const R& tgt_rule = {},
                      const RM& memory_rule = {}) {
    return Self::pass(self, to_tensor(tgt), [&](auto& layer, const auto& x) {
      return layer(x, memory, tgt_rule, memory_rule);
    });
  }

  /// For decoding step by step, up to `capacity` positions of `beam` sequences for each of the
  /// memory's, whose keys and values are computed here, once.
  DecoderCache<T> cache(const Tensor<T, 3>& memory, Index capacity, Index beam = 1) const {
    DecoderCache<T> made;
    for (const auto& layer : this->layers)
      made.layers.push_back(layer.cache(memory, capacity, beam));
    return made;
  }
  /// The next positions, (B·beam, n, D), at the cost of their length alone. A rule about distances
  /// must be aligned lower_right, or `memory_offsets` say where the queries stand.
  template <Rule R, Rule RM = NoMask>
  Tensor<T, 3> step(const Tensor<T, 3>& tgt, DecoderCache<T>& cache, const R& tgt_rule,
                    const RM& memory_rule = {},
                    const std::optional<Offsets>& memory_offsets = {}) const {
    auto layer_cache = cache.layers.begin();
    return this->pass(*this, tgt, [&](const auto& layer, const auto& x) {
      return layer.step(x, *layer_cache++, tgt_rule, memory_rule, memory_offsets);
    });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
