#pragma once

#include <attn/nn/embedding.hpp>
#include <attn/nn/generate.hpp>
#include <attn/nn/learned_position.hpp>
#include <attn/nn/transformer_decoder.hpp>
#include <attn/nn/transformer_encoder.hpp>
#include <attn/position/sinusoidal.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// How positions are encoded: by the paper's sines, or by a table that is learned.
enum class PositionEncoding { sinusoidal, learned };

/// The paper's model has `share_embeddings` and `tie_embeddings`   [Vaswani17 §3.4], and no
/// `final_norm`.
struct TransformerOptions {
  Index source_vocabulary, target_vocabulary;
  TransformerLayerOptions layer;
  Index num_encoder_layers = 6, num_decoder_layers = 6;
  bool final_norm = false;
  bool share_embeddings = false;  ///< source and target have one vocabulary, and one table
  bool tie_embeddings = false;    ///< the output layer is the target's table, without a bias
  PositionEncoding positions = PositionEncoding::sinusoidal;
  Index max_length = 512;  ///< of learned positions
};

/// The attention weights of a Transformer, a tensor for each layer: of the encoder (B, H, S, S), of
/// the decoder's self-attention (B, H, L, L), and of its attention to the memory (B, H, L, S).
template <class T>
struct TransformerWeights {
  std::vector<Tensor<T, 4>> encoder, decoder_self, decoder_memory;
};

/// The whole model, tokens to logits   [Vaswani17 §3, Figure 1]:
///
///   model(source, target, Padding{lengths})     source (B, S) and target (B, L) give the logits
///                                               (B, L, V) of the token after each
///   model(tape, source, target, Padding{lengths})     the same, recorded
///   model.generate(source, Padding{lengths}, {.start = 1, .end = 2, .max_length = 50})
///
/// The rule is that of the source: for the encoder's attention and for the decoder's attention to
/// the memory. The rule of the target is Causal{}.
/// Parameters: `source_embedding` and `target_embedding`, or `embedding` if they are one;
/// `source_position`, `target_position` if they are learned; `encoder` and `decoder` as in PyTorch;
/// `output` unless it is tied. They are zero without a Random; with one, every matrix of encoder
/// and decoder is Xavier uniform, as in PyTorch's `Transformer`, and the other layers initialize
/// themselves.
/// Errors: OptionError for options that do not fit, for token ids outside the vocabulary, for
/// lengths beyond learned positions; ShapeError if source and target are not of one batch.
template <class T, class Kernel = Tiled>
class Transformer : public Module<Transformer<T, Kernel>, T> {
 public:
  static constexpr const char* kind = "Transformer";
  TransformerOptions options;
  std::optional<Embedding<T>> source_embedding;  ///< none if the target's is shared
  Embedding<T> target_embedding;
  std::optional<LearnedPosition<T>> source_position, target_position;
  TransformerEncoder<T, Kernel> encoder;
  TransformerDecoder<T, Kernel> decoder;
  std::optional<Linear<T>> output;
  Dropout dropout;

  explicit Transformer(const TransformerOptions& o)
      : options(checked(o)),
        target_embedding({.num_embeddings = o.target_vocabulary, .embedding_dim = o.layer.d_model}),
        encoder({.layer = o.layer, .num_layers = o.num_encoder_layers, .final_norm = o.final_norm}),
        decoder({.layer = o.layer, .num_layers = o.num_decoder_layers, .final_norm = o.final_norm}),
        dropout(o.layer.dropout) {
    const Index D = o.layer.d_model;
    if (!o.share_embeddings)
      source_embedding.emplace(
          EmbeddingOptions{.num_embeddings = o.source_vocabulary, .embedding_dim = D});
    if (o.positions == PositionEncoding::learned)
      for (auto* position : {&source_position, &target_position})
        position->emplace(LearnedPositionOptions{.max_length = o.max_length, .d_model = D});
    if (!o.tie_embeddings)
      output.emplace(LinearOptions{.in_features = D, .out_features = o.target_vocabulary});
  }
  Transformer(const TransformerOptions& o, Random& random) : Transformer(o) { initialize(random); }

  /// Token ids are tensors, or constants of a tape.
  template <class Self, class Source, class Target, Rule R = NoMask>
  static auto forward(Self& self, const Source& source, const Target& target,
                      const R& source_rule = {}) {
    return decode(self, target, encode(self, source, source_rule), source_rule);
  }

  /// The memory (B, S, D) of a source (B, S).
  template <Rule R = NoMask>
  Tensor<T, 3> encode(const Tensor<Index, 2>& source, const R& source_rule = {}) const {
    return encode(*this, source, source_rule);
  }
  template <Rule R = NoMask>
  Variable<T, 3> encode(Tape<T>& tape, const Tensor<Index, 2>& source, const R& source_rule = {}) {
    return encode(*this, tape.constant(source), source_rule);
  }
  /// The logits (B, L, V) of the token after each of target (B, L).
  template <Rule R = NoMask>
  Tensor<T, 3> decode(const Tensor<Index, 2>& target, const Tensor<T, 3>& memory,
                      const R& source_rule = {}) const {
    return decode(*this, target, memory, source_rule);
  }
  template <Rule R = NoMask>
  Variable<T, 3> decode(Tape<T>& tape, const Tensor<Index, 2>& target, const Variable<T, 3>& memory,
                        const R& source_rule = {}) {
    return decode(*this, tape.constant(target), memory, source_rule);
  }

  /// `.output`, the logits, bitwise identical to the call above, and `.weights`, see
  /// TransformerWeights.
  template <Rule R = NoMask>
  auto with_weights(const Tensor<Index, 2>& source, const Tensor<Index, 2>& target,
                    const R& source_rule = {}) const {
    auto encoded = encoder.with_weights(embed_source(*this, source), source_rule);
    expect_batch(target, encoded.output);
    auto decoded =
        decoder.with_weights(embed_target(*this, target), encoded.output, Causal{}, source_rule);
    return WithWeights{
        logits(*this, decoded.output),
        TransformerWeights<T>{std::move(encoded.weights), std::move(decoded.self_weights),
                              std::move(decoded.memory_weights)}};
  }

  /// Decoding with one's own choice of tokens: `steps(tokens, parents)` appends a token to each
  /// sequence and gives the logits (B·beam, V) of the next one, bitwise identical to those of the
  /// call above. Sequence h continues sequence parents[h]; the `beam` sequences of a source lie
  /// side by side. The keys and values of the memory are computed once, and those of the target are
  /// cached: a step costs what its own position costs. It refers to the model.
  template <Rule R = NoMask>
  auto steps(const Tensor<T, 3>& memory, const R& source_rule, Index max_length,
             Index beam = 1) const {
    if (target_position) (*target_position)(max_length);  // throws if it is too short
    const ScoreShape scores{memory.shape()[0], options.layer.nhead, max_length, memory.shape()[1]};
    auto kept = std::make_shared<const R>(source_rule);
    const BoundRule<R> fits(*kept, scores, decoder_align());  // or throws
    // All sequences of a step stand at the same row of the L×S scores.
    Offsets at{.query_stride = 0, .queries = max_length};
    return [this, kept, at, cache = decoder.cache(memory, max_length, beam), step = Index{0}](
               const std::vector<Index>& tokens, const std::vector<Index>& parents) mutable {
      Tensor<Index, 2> last({static_cast<Index>(tokens.size()), 1});
      std::copy(tokens.begin(), tokens.end(), last.data());
      const auto x = embed_target(*this, last, step);  // throws before the cache changes
      if (step > 0) cache.select(parents);
      at.query = step++;
      return logits(*this, decoder.step(x, cache, Causal{Align::lower_right}, *kept, at))
          .reshape({last.size(), options.target_vocabulary});
    };
  }

  /// Generates the target's tokens (B, max_length) for a source (B, S): see GenerateOptions.
  template <Rule R = NoMask>
  Tensor<Index, 2> generate(const Tensor<Index, 2>& source, const R& source_rule,
                            const GenerateOptions& o) const {
    o.check();
    for (const auto& [name, token] : {std::pair("start", o.start), std::pair("end", o.end)})
      expect_option(
          token >= 0 && token < options.target_vocabulary, "generate", name, token,
          "at least 0 and below target_vocabulary = " + std::to_string(options.target_vocabulary));
    return attn::generate(
        source.shape()[0], o,
        steps(encode(source, source_rule), source_rule, o.max_length, o.num_beams));
  }
  Tensor<Index, 2> generate(const Tensor<Index, 2>& source, const GenerateOptions& o) const {
    return generate(source, NoMask{}, o);
  }

  void initialize(Random& random) {
    target_embedding.initialize(random);
    encoder.initialize(random);
    decoder.initialize(random);
    const auto initialize_optional = [&](auto& layer) {
      if (layer) layer->initialize(random);
    };
    initialize_optional(source_embedding);
    initialize_optional(source_position);
    initialize_optional(target_position);
    initialize_optional(output);
    xavier_uniform_matrices(encoder.parameters(), random);
    xavier_uniform_matrices(decoder.parameters(), random);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    if (self.source_embedding) visitor("source_embedding", *self.source_embedding);
    visitor(self.source_embedding ? "target_embedding" : "embedding", self.target_embedding);
    if (self.source_position) visitor("source_position", *self.source_position);
    if (self.target_position) visitor("target_position", *self.target_position);
    visitor("encoder", self.encoder);
    visitor("decoder", self.decoder);
    if (self.output) visitor("output", *self.output);
  }

 private:
  static const TransformerOptions& checked(const TransformerOptions& o) {
    expect_option(o.source_vocabulary >= 1, kind, "source_vocabulary", o.source_vocabulary,
                  "at least 1");
    expect_option(o.target_vocabulary >= 1, kind, "target_vocabulary", o.target_vocabulary,
                  "at least 1");
    expect_option(
        !o.share_embeddings || o.source_vocabulary == o.target_vocabulary, kind,
        "source_vocabulary", o.source_vocabulary,
        "target_vocabulary = " + std::to_string(o.target_vocabulary) + " with share_embeddings");
    return o;
  }

  template <class Self, class Source, Rule R>
  static auto encode(Self& self, const Source& source, const R& source_rule) {
    static_assert(!PlacesRows<R>, "a Transformer takes padded batches: Padding{lengths}");
    return self.encoder(embed_source(self, source), source_rule);
  }
  template <class Self, class Target, class Memory, Rule R>
  static auto decode(Self& self, const Target& target, const Memory& memory, const R& source_rule) {
    expect_batch(target, memory);
    return logits(self, self.decoder(embed_target(self, target), memory, Causal{}, source_rule));
  }
  template <class Target, class Memory>
  static void expect_batch(const Target& target, const Memory& memory) {
    if (target.shape()[0] != memory.shape()[0])
      throw ShapeError("Transformer: target " + to_string(target.shape()) +
                       " must have the source's batch B = " + std::to_string(memory.shape()[0]));
  }

  template <class Self, class Ids>
  static auto embed_source(Self& self, const Ids& ids) {
    auto& embedding = self.source_embedding ? *self.source_embedding : self.target_embedding;
    return embed(self, embedding, self.source_position, ids);
  }
  template <class Self, class Ids>
  static auto embed_target(Self& self, const Ids& ids, Index offset = 0) {
    return embed(self, self.target_embedding, self.target_position, ids, offset);
  }
  /// The sum of embedding and position encoding, and its dropout   [Vaswani17 §5.4]
  template <class Self, class E, class P, class Ids>
  static auto embed(Self& self, E& embedding, P& learned, const Ids& ids, Index offset = 0) {
    const Index length = ids.shape()[1];
    auto x = embedding(ids);
    if (learned) return self.dropout(learned->add_to(std::move(x), offset));
    const Index D = self.options.layer.d_model;
    return self.dropout(std::move(x) + sinusoidal<T>(length, D, offset));
  }

  template <class Self, class X>
  static auto logits(Self& self, const X& x) {
    if (self.output) return (*self.output)(x);
    const std::optional<Parameter<T, 1>> no_bias;
    return apply(LinearMap{}, x, weight_rows(self.target_embedding.weight), no_bias);
  }
  std::optional<Align> decoder_align() const {
    return decoder.layers.empty() ? std::nullopt
                                  : decoder.layers.front().multihead_attn.attention.options.align;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
