#pragma once

#include <attn/nn/encoder_cache.hpp>
#include <attn/nn/multi_head_attention.hpp>
#include <attn/nn/residual.hpp>
#include <attn/nn/stack.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The left half of the paper's Figure 1: self-attention, then a feed-forward network, each in a
/// residual connection   [Vaswani17 §3.1]
///
/// src (B, L, D), or (L, D), gives the same shape, under any rule. Parameters are those of
/// PyTorch's `TransformerEncoderLayer`; for SwiGLU also `linear3`. Without a Random they are zero
/// and the weights of norms 1; with one, the sublayers are initialized as they are by themselves.
/// Errors: those of MultiHeadAttention, FeedForward and LayerNorm.
template <class T, class Kernel = Tiled>
class TransformerEncoderLayer : public Module<TransformerEncoderLayer<T, Kernel>, T> {
 public:
  using Scalar = T;
  static constexpr const char* kind = "TransformerEncoderLayer";
  MultiHeadAttention<T, Kernel> self_attn;
  FeedForward<T> feed_forward;
  Norm<T> norm1, norm2;
  Residual residual;

  explicit TransformerEncoderLayer(const TransformerLayerOptions& options)
      : self_attn(options.self_attention()),
        feed_forward(options.feed_forward()),
        norm1(options.norm_options()),
        norm2(options.norm_options()),
        residual{Dropout(options.dropout), options.norm_first} {}
  TransformerEncoderLayer(const TransformerLayerOptions& options, Random& random)
      : TransformerEncoderLayer(options) {
    this->initialize(random);
  }

  template <class Self, class X, Rule R = NoMask>
  static auto forward(Self& self, const X& src, const R& rule = {}) {
    return sublayers(self, src, detail::dropout_rows(rule),
                     [&](const auto& x) { return self.self_attn(x, x, x, rule); });
  }

  /// `.output`, bitwise identical to the call above, and the `.weights` (B, H, L, L) of attention.
  template <class X, Rule R = NoMask>
  auto with_weights(const X& src, const R& rule = {}) const {
    Tensor<T, 4> weights;
    auto output = sublayers(*this, src, {}, [&](const auto& x) {
      auto both = self_attn.with_weights(x, x, x, rule);
      weights = std::move(both.weights);
      return std::move(both.output);
    });
    return WithWeights{std::move(output), std::move(weights)};
  }

  /// The next positions: bitwise identical to what a call for all positions at once gives for them.
  /// If it throws, the cache may hold their keys and values.
  template <Rule R>
  Tensor<T, 3> step(const Tensor<T, 3>& src, KeyValueCache<T>& cache, const R& rule) const {
    return sublayers(*this, src, {}, [&](const auto& x) { return self_attn.step(x, cache, rule); });
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("self_attn", self.self_attn);
    FeedForward<T>::visit(self.feed_forward, visitor);
    Norm<T>::visit(self.norm1, "norm1", visitor);
    Norm<T>::visit(self.norm2, "norm2", visitor);
  }

 private:
  template <class Self, class X, class Attend>
  static auto sublayers(Self& self, const X& src, const RowPositions& rows, Attend&& attend) {
    const auto x = self.residual(src, self.norm1, attend, rows);
    const auto feed = [&](const auto& y) { return self.feed_forward(y, rows); };
    return self.residual(x, self.norm2, feed, rows);
  }
};

/// N encoder layers   [Vaswani17 §3.1]: src (B, L, D), or (L, D), gives the same shape, under any
/// rule. Under Causal{} it is a decoder-only model; under Packed sequences of different lengths lie
/// side by side. Parameters are those of PyTorch's `TransformerEncoder`.
template <class T, class Kernel = Tiled>
class TransformerEncoder : public Module<TransformerEncoder<T, Kernel>, T>,
                           public Stack<T, TransformerEncoderLayer<T, Kernel>> {
 public:
  static constexpr const char* kind = "TransformerEncoder";

  explicit TransformerEncoder(const TransformerStackOptions& options)
      : Stack<T, TransformerEncoderLayer<T, Kernel>>(options, kind) {}
  TransformerEncoder(const TransformerStackOptions& options, Random& random)
      : TransformerEncoder(options) {
    this->initialize(random);
  }

  template <class Self, class X, Rule R = NoMask>
  static auto forward(Self& self, const X& src, const R& rule = {}) {
    return Self::pass(self, src, [&](auto& layer, const auto& x) { return layer(x, rule); });
  }

  /// `.output`, bitwise identical to the call above, and the `.weights` (B, H, L, L) of each layer.
  template <class X, Rule R = NoMask>
  auto with_weights(const X& src, const R& rule = {}) const {
    std::vector<Tensor<T, 4>> weights;
    auto output = this->pass(*this, src, [&](const auto& layer, const auto& x) {
      auto both = layer.with_weights(x, rule);
      weights.push_back(std::move(both.weights));
      return std::move(both.output);
    });
    return WithWeights{std::move(output), std::move(weights)};
  }

  /// The cache for computing a sequence position by position under a causal rule, up to `capacity`
  /// positions of B sequences.
  EncoderCache<T> cache(Index batch, Index capacity, const CacheOptions& options = {}) const {
    EncoderCache<T> made;
    for (const auto& layer : this->layers)
      made.layers.push_back(layer.self_attn.cache(batch, capacity, options));
    return made;
  }
  /// The next positions, (B, n, D), at the cost of n positions: bitwise identical to what a call
  /// for all positions at once gives for them. A rule about distances must be aligned lower_right:
  /// `step(x, cache, Causal{Align::lower_right})`. If it throws, the cache is as it was.
  /// Errors: ShapeError too if the cache is full, or that of another encoder.
  template <Rule R>
  Tensor<T, 3> step(const Tensor<T, 3>& src, EncoderCache<T>& cache, const R& rule) const {
    if (cache.layers.size() != this->layers.size())
      throw ShapeError("TransformerEncoder: the cache has " + std::to_string(cache.layers.size()) +
                       " layers and must have those of the encoder, " +
                       std::to_string(this->layers.size()));
    return detail::append_or_restore(cache.layers, std::identity{}, [&] {
      auto layer_cache = cache.layers.begin();
      return this->pass(*this, src, [&](const auto& layer, const auto& x) {
        return layer.step(x, *layer_cache++, rule);
      });
    });
  }
  /// The same, written to the caller's memory: see Module::into.
  template <class Output, Rule R>
  void step_into(Output&& output, const Tensor<T, 3>& src, EncoderCache<T>& cache,
                 const R& rule) const {
    const auto to = view(output);
    detail::expect_apart(kind, to, src);
    detail::expect_output(kind, to, src.shape());
    detail::compute_into(kind, to, [&] { return step(src, cache, rule); });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
