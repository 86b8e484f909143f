#pragma once

#include <attn/nn/decoder_cache.hpp>
#include <attn/nn/multi_head_attention.hpp>
#include <attn/nn/residual.hpp>
#include <attn/nn/stack.hpp>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// The output of decoder layers and their attention weights: of the attention to the target itself,
/// (B, H, L, L), and of the attention to the memory, (B, H, L, S).
template <class Output, class Weights>
struct WithDecoderWeights {
  Output output;
  Weights self_weights, memory_weights;
};
template <class Output, class Weights>
WithDecoderWeights(Output, Weights, Weights) -> WithDecoderWeights<Output, Weights>;

/// The right half of the paper's Figure 1: self-attention, attention to the encoder's output, and a
/// feed-forward network, each in a residual connection   [Vaswani17 §3.1]
///
/// tgt (B, L, D) and memory (B, S, D), or both without the batch axis, give tgt's shape; each
/// attention has a rule. Parameters are those of PyTorch's `TransformerDecoderLayer`; for SwiGLU
/// also `linear3`. Without a Random they are zero and the weights of norms 1.
/// Errors: those of MultiHeadAttention, FeedForward and LayerNorm.
template <class T, class Kernel = Tiled>
class TransformerDecoderLayer : public Module<TransformerDecoderLayer<T, Kernel>, T> {
 public:
  using Scalar = T;
  static constexpr const char* kind = "TransformerDecoderLayer";
  MultiHeadAttention<T, Kernel> self_attn, multihead_attn;
  FeedForward<T> feed_forward;
  Norm<T> norm1, norm2, norm3;
  Residual residual;

  explicit TransformerDecoderLayer(const TransformerLayerOptions& options)
      : self_attn(options.self_attention()),
        multihead_attn(options.cross_attention()),
        feed_forward(options.feed_forward()),
        norm1(options.norm_options()),
        norm2(options.norm_options()),
        norm3(options.norm_options()),
        residual{Dropout(options.dropout), options.norm_first} {}
  TransformerDecoderLayer(const TransformerLayerOptions& options, Random& random)
      : TransformerDecoderLayer(options) {
    this->initialize(random);
  }

  template <class Self, class X, class M, Rule R = NoMask, Rule RM = NoMask>
  static auto forward(Self& self, const X& tgt, const M& memory, const R& tgt_rule = {},
                      const RM& memory_rule = {}) {
    return sublayers(
        self, tgt, detail::dropout_rows(tgt_rule),
        [&](const auto& x) { return self.self_attn(x, x, x, tgt_rule); },
        [&](const auto& x) { return self.multihead_attn(x, memory, memory, memory_rule); });
  }

  /// `.output`, bitwise identical to the call above, `.self_weights` and `.memory_weights`.
  template <class X, class M, Rule R = NoMask, Rule RM = NoMask>
  auto with_weights(const X& tgt, const M& memory, const R& tgt_rule = {},
                    const RM& memory_rule = {}) const {
    Tensor<T, 4> self_weights, memory_weights;
    const auto keep = [](auto&& both, Tensor<T, 4>& weights) {
      weights = std::move(both.weights);
      return std::move(both.output);
    };
    auto output = sublayers(
        *this, tgt, {},
        [&](const auto& x) {
          return keep(self_attn.with_weights(x, x, x, tgt_rule), self_weights);
        },
        [&](const auto& x) {
          return keep(multihead_attn.with_weights(x, memory, memory, memory_rule), memory_weights);
        });
    return WithDecoderWeights{std::move(output), std::move(self_weights),
                              std::move(memory_weights)};
  }

  /// A cache of `capacity` positions for `beam` sequences for each sequence of memory (B, S, D),
  /// whose keys and values are computed here.
  DecoderLayerCache<T> cache(const Tensor<T, 3>& memory, Index capacity, Index beam) const {
    const Index B = memory.shape()[0];
    DecoderLayerCache<T> made{self_attn.cache(B * beam, capacity),
                              multihead_attn.cache(B, memory.shape()[1])};
    multihead_attn.append(made.memory, memory, memory);
    return made;
  }
  /// The next positions: bitwise identical to what a call for all positions at once gives for them.
  /// The sequences of a beam are queries to the same memory; `memory_offsets` say where they stand
  /// for its rule. If it throws, the cache is as it was.
  template <Rule R, Rule RM>
  Tensor<T, 3> step(const Tensor<T, 3>& tgt, DecoderLayerCache<T>& cache, const R& tgt_rule,
                    const RM& memory_rule,
                    const std::optional<Offsets>& memory_offsets = {}) const {
    const auto attend_to_self = [&](const auto& x) {
      return self_attn.step(x, cache.self, tgt_rule);
    };
    const auto attend_to_memory = [&](const Tensor<T, 3>& x) {
      const auto [BB, L, D] = x.shape();
      const Index B = cache.memory.batch();
      Tensor<T, 3> queries = Tensor<T, 3>(x).reshape({B, B > 0 ? BB * L / B : 0, D});
      return multihead_attn.attend(queries, cache.memory, memory_rule, memory_offsets)
          .reshape({BB, L, D});
    };
    return detail::append_or_restore(std::span(&cache, 1), &DecoderLayerCache<T>::self, [&] {
      return sublayers(*this, tgt, {}, attend_to_self, attend_to_memory);
    });
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("self_attn", self.self_attn);
    visitor("multihead_attn", self.multihead_attn);
    FeedForward<T>::visit(self.feed_forward, visitor);
    Norm<T>::visit(self.norm1, "norm1", visitor);
    Norm<T>::visit(self.norm2, "norm2", visitor);
    Norm<T>::visit(self.norm3, "norm3", visitor);
  }

 private:
  template <class Self, class X, class AttendToSelf, class AttendToMemory>
  static auto sublayers(Self& self, const X& tgt, const RowPositions& rows,
                        AttendToSelf&& attend_to_self, AttendToMemory&& attend_to_memory) {
    const auto x = self.residual(tgt, self.norm1, attend_to_self, rows);
    const auto y = self.residual(x, self.norm2, attend_to_memory, rows);
    const auto feed = [&](const auto& z) { return self.feed_forward(z, rows); };
    return self.residual(y, self.norm3, feed, rows);
  }
};

/// N decoder layers   [Vaswani17 §3.1]: tgt (B, L, D) and memory (B, S, D) give (B, L, D), under
/// any two rules: `decoder(tgt, memory, Causal{}, Padding{lengths})`. Parameters are those of
/// PyTorch's `TransformerDecoder`.
template <class T, class Kernel = Tiled>
class TransformerDecoder : public Module<TransformerDecoder<T, Kernel>, T>,
                           public Stack<T, TransformerDecoderLayer<T, Kernel>> {
 public:
  static constexpr const char* kind = "TransformerDecoder";

  explicit TransformerDecoder(const TransformerStackOptions& options)
      : Stack<T, TransformerDecoderLayer<T, Kernel>>(options, kind) {}
  TransformerDecoder(const TransformerStackOptions& options, Random& random)
      : TransformerDecoder(options) {
    this->initialize(random);
  }

  template <class Self, class X, class M, Rule R = NoMask, Rule RM = NoMask>
  static auto forward(Self& self, const X& tgt, const M& memory, const R& tgt_rule = {},
                      const RM& memory_rule = {}) {
    return Self::pass(self, tgt, [&](auto& layer, const auto& x) {
      return layer(x, memory, tgt_rule, memory_rule);
    });
  }

  /// `.output`, bitwise identical to the call above, and the `.self_weights` and `.memory_weights`
  /// of each layer.
  template <class X, class M, Rule R = NoMask, Rule RM = NoMask>
  auto with_weights(const X& tgt, const M& memory, const R& tgt_rule = {},
                    const RM& memory_rule = {}) const {
    std::vector<Tensor<T, 4>> self_weights, memory_weights;
    auto output = this->pass(*this, tgt, [&](const auto& layer, const auto& x) {
      auto all = layer.with_weights(x, memory, tgt_rule, memory_rule);
      self_weights.push_back(std::move(all.self_weights));
      memory_weights.push_back(std::move(all.memory_weights));
      return std::move(all.output);
    });
    return WithDecoderWeights{std::move(output), std::move(self_weights),
                              std::move(memory_weights)};
  }

  /// The cache for decoding step by step, up to `capacity` positions of `beam` sequences for each
  /// sequence of the memory, whose keys and values are computed here, once.
  DecoderCache<T> cache(const Tensor<T, 3>& memory, Index capacity, Index beam = 1) const {
    DecoderCache<T> made;
    for (const auto& layer : this->layers)
      made.layers.push_back(layer.cache(memory, capacity, beam));
    return made;
  }
  /// The next positions, (B·beam, n, D), at the cost of n positions. A rule about distances must be
  /// aligned lower_right, or `memory_offsets` say where the queries stand. If it throws, the cache
  /// is as it was. Errors: ShapeError too if the cache is full, or that of another decoder.
  template <Rule R, Rule RM = NoMask>
  Tensor<T, 3> step(const Tensor<T, 3>& tgt, DecoderCache<T>& cache, const R& tgt_rule,
                    const RM& memory_rule = {},
                    const std::optional<Offsets>& memory_offsets = {}) const {
    if (cache.layers.size() != this->layers.size())
      throw ShapeError("TransformerDecoder: the cache has " + std::to_string(cache.layers.size()) +
                       " layers and must have those of the decoder, " +
                       std::to_string(this->layers.size()));
    return detail::append_or_restore(cache.layers, &DecoderLayerCache<T>::self, [&] {
      auto layer_cache = cache.layers.begin();
      return this->pass(*this, tgt, [&](const auto& layer, const auto& x) {
        return layer.step(x, *layer_cache++, tgt_rule, memory_rule, memory_offsets);
      });
    });
  }
  /// The same, written to the caller's memory: see Module::into.
  template <class Output, Rule R, Rule RM = NoMask>
  void step_into(Output&& output, const Tensor<T, 3>& tgt, DecoderCache<T>& cache,
                 const R& tgt_rule, const RM& memory_rule = {}) const {
    const auto to = view(output);
    detail::expect_apart(kind, to, tgt);
    detail::expect_output(kind, to, tgt.shape());
    detail::compute_into(kind, to, [&] { return step(tgt, cache, tgt_rule, memory_rule); });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
