#pragma once

#include <attn/nn/embedding.hpp>
#include <attn/nn/generate.hpp>
#include <attn/nn/learned_position.hpp>
#include <attn/nn/transformer_decoder.hpp>
#include <attn/nn/transformer_encoder.hpp>
#include <attn/position/sinusoidal.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What tells positions apart: the paper's sines, or a table that is learned.
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

/// The whole model, tokens to logits   [Vaswani17 §3, Figure 1]:
///
///   model(source, target, Padding{lengths})      source (B, S), target (B, L) give logits (B, L,
///   V) of the token after each model(tape, source, target, Padding{lengths})     the same,
///   recorded
///   model.generate(source, Padding{lengths}, {.start = 1, .end = 2, .max_length = 50})
///
/// The rule is the source's: for the encoder's attention and for the decoder's to it. The target's
/// is Causal{}.
/// Parameters: `source_embedding` and `target_embedding`, or `embedding` if they are one;
/// `source_position`, `target_position` where they are learned; `encoder` and `decoder` as
/// PyTorch's; `output` unless it is tied. Zero without a Random; with one, Xavier's uniform for
/// every matrix, as PyTorch's `Transformer`, and the embeddings' own start.
/// Errors: OptionError for options that do not fit, for token ids outside the vocabulary, for
/// lengths beyond learned positions; ShapeError if source and target are not of one batch.
template <class T, class Kernel = Tiled>
class Transformer : public Module<Transformer<T, Kernel>, T> {
 public:
  static constexpr const char* kind = "Transformer";
  TransformerOptions options;
  std::optional<Embedding<T>> source_embedding;  ///< none where the target's is shared
  Embedding<T> target_embedding;
  std::optional<LearnedPosition<T>> source_position, target_position;
  TransformerEncoder<T, Kernel> encoder;
  TransformerDecoder<T, Kernel> decoder;
  std::optional<Linear<T>> output;
  Dropout dropout;

  template <std::same_as<Random>... R>
  explicit Transformer(const TransformerOptions& o, R&... random)
      : options(checked(o)),
        target_embedding({.num_embeddings = o.target_vocabulary, .embedding_dim = o.layer.d_model},
                         random...),
        encoder({.layer = o.layer, .num_layers = o.num_encoder_layers, .final_norm = o.final_norm},
                random...),
        decoder({.layer = o.layer, .num_layers = o.num_decoder_layers, .final_norm = o.final_norm},
                random...),
        dropout(o.layer.dropout) {
    if (!o.share_embeddings)
      source_embedding.emplace(
          EmbeddingOptions{.num_embeddings = o.source_vocabulary, .embedding_dim = o.layer.d_model},
          random...);
    if (o.positions == PositionEncoding::learned)
      for (auto* position : {&source_position, &target_position})
        position->emplace(
            LearnedPositionOptions{.max_length = o.max_length, .d_model = o.layer.d_model},
            random...);
    if (!o.tie_embeddings)
      output.emplace(
          LinearOptions{.in_features = o.layer.d_model, .out_features = o.target_vocabulary},
          random...);
    (xavier_uniform_matrices(encoder.parameters(), random), ...);
    (xavier_uniform_matrices(decoder.parameters(), random), ...);
  }

  template <class Self, Rule R = NoMask>
  static auto forward(Self& self, const Tensor<Index, 2>& source, const Tensor<Index, 2>& target,
                      const R& source_rule = {}) {
    return forward(self, Inference{}, source, target, source_rule);
  }
  template <class Self, class How, Rule R = NoMask>
    requires(!std::same_as<std::remove_cvref_t<How>, Tensor<Index, 2>>)
  static auto forward(Self& self, How&& how, const Tensor<Index, 2>& source,
                      const Tensor<Index, 2>& target, const R& source_rule = {}) {
    return decode(self, how, target, encode(self, how, source, source_rule), source_rule);
  }

  /// The memory (B, S, D) of a source (B, S).
  template <Rule R = NoMask>
  Tensor<T, 3> encode(const Tensor<Index, 2>& source, const R& source_rule = {}) const {
    return encode(*this, Inference{}, source, source_rule);
  }
  template <Rule R = NoMask>
  Variable<T, 3> encode(Tape<T>& tape, const Tensor<Index, 2>& source, const R& source_rule = {}) {
    return encode(*this, tape, source, source_rule);
  }
  /// The logits (B, L, V) of the token after each of target (B, L).
  template <Rule R = NoMask>
  Tensor<T, 3> decode(const Tensor<Index, 2>& target, const Tensor<T, 3>& memory,
                      const R& source_rule = {}) const {
    return decode(*this, Inference{}, target, memory, source_rule);
  }
  template <Rule R = NoMask>
  Variable<T, 3> decode(Tape<T>& tape, const Tensor<Index, 2>& target, const Variable<T, 3>& memory,
                        const R& source_rule = {}) {
    return decode(*this, tape, target, memory, source_rule);
  }

  /// Decoding by one's own choice of tokens: `steps(tokens, parents)` gives the logits (B·beam, V)
  /// after each sequence has got its token, to the bit those of the call above. Sequence h
  /// continues what sequence parents[h] was; the `beam` sequences of a source lie side by side. The
  /// memory's keys and values are computed once, those of the target kept: a step costs what its
  /// own position costs. It refers to the model.
  template <Rule R = NoMask>
  auto steps(const Tensor<T, 3>& memory, const R& source_rule, Index max_length,
             Index beam = 1) const {
    if (target_position) (*target_position)(max_length);  // is long enough, or throws
    const ScoreShape scores{memory.shape()[0], options.layer.nhead, max_length, memory.shape()[1]};
    auto kept = std::make_shared<const R>(source_rule);
    const BoundRule<R> fits(*kept, scores, decoder_align());  // or throws
    // All sequences of a step stand at the same row of the L×S scores.
    Offsets at{.query_stride = 0, .queries = max_length};
    return [this, kept, at, cache = decoder.cache(memory, max_length, beam), step = Index{0}](
               const std::vector<Index>& tokens, const std::vector<Index>& parents) mutable {
      if (step > 0) cache.select(parents);
      Tensor<Index, 2> last({static_cast<Index>(tokens.size()), 1});
      std::copy(tokens.begin(), tokens.end(), last.data());
      const auto x = embed(*this, Inference{}, target_embedding, target_position, last, step);
      at.query = step++;
      return logits(*this, decoder.step(x, cache, Causal{Align::lower_right}, *kept, at))
          .reshape({last.size(), options.target_vocabulary});
    };
  }

  /// Writes the target's tokens (B, max_length) for a source (B, S): see GenerateOptions.
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

  /// `how` is a tape, or Inference.
  template <class Self, class How, Rule R>
  static auto encode(Self& self, How&& how, const Tensor<Index, 2>& source, const R& source_rule) {
    return self.encoder(
        embed(self, how, self.source_embedding ? *self.source_embedding : self.target_embedding,
              self.source_position, source),
        source_rule);
  }
  template <class Self, class How, class Memory, Rule R>
  static auto decode(Self& self, How&& how, const Tensor<Index, 2>& target, const Memory& memory,
                     const R& source_rule) {
    if (target.shape()[0] != memory.shape()[0])
      throw ShapeError("Transformer: target " + to_string(target.shape()) +
                       " must have the source's batch B = " + std::to_string(memory.shape()[0]));
    return logits(
        self, self.decoder(embed(self, how, self.target_embedding, self.target_position, target),
                           memory, Causal{}, source_rule));
  }

  /// Embedding and position, and the dropout of their sum   [Vaswani17 §5.4]
  template <class Self, class How, class E, class P>
  static auto embed(Self& self, How&& how, E& embedding, P& learned, const Tensor<Index, 2>& tokens,
                    Index offset = 0) {
    const Index length = tokens.shape()[1];
    const auto x = embedding(how, tokens);
    return self.dropout(
        learned ? add_to_each(x, (*learned)(how, length, offset))
                : add_to_each(x, sinusoidal<T>(length, self.options.layer.d_model, offset)));
  }

  template <class Self, class X>
  static auto logits(Self& self, const X& x) {
    if (self.output) return (*self.output)(x);
    std::optional<Parameter<T, 1>> no_bias;
    return self.tied_(x, self.target_embedding.weight, no_bias);
  }
  std::optional<Align> decoder_align() const {
    return decoder.layers.empty() ? std::nullopt
                                  : decoder.layers.front().multihead_attn.attention.options.align;
  }

  Projection<T> tied_;
};

}  // namespace ATTN_ABI
}  // namespace attn
