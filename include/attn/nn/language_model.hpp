#pragma once

#include <attn/nn/embedding.hpp>
#include <attn/nn/language_model_cache.hpp>
#include <attn/nn/language_model_names.hpp>
#include <attn/nn/learned_position.hpp>
#include <attn/nn/text_generation.hpp>
#include <attn/nn/transformer_encoder.hpp>
#include <attn/rules/sliding_window.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A decoder-only transformer   [Radford18 §3.1]: tokens (B, L) to the logits (B, L, V) of the
/// token that follows each of them.
///
///   LanguageModel<float> model(llama({.vocabulary = 49152, .d_model = 576, …}), random);
///   model(tokens)                             the logits of all positions
///   model(tape, tokens)                       the same, recorded
///   model(tokens, Packed{{0, 7, 20, 31}})     texts side by side without padding, tokens (1, 31)
///   model.step(tokens, cache)                 those of the next positions, bitwise identical
///   model.generate(prompt, {.max_new_tokens = 100}, [](Index token) { …; return true; })
///
/// Parameters have Hugging Face's names, see ParameterNames. In the state dict, the matrices of
/// GPT-2's layers are transposed, as they are there. They are zero without a Random; with one,
/// matrices are N(0, 0.02²), and those that end a residual branch N(0, 0.02² / (2 · num_layers))
/// [Radford19 §2.3].
/// Errors: OptionError for options that do not fit, for tokens outside the vocabulary, and for more
/// positions than max_length.
template <class T, class Kernel = Tiled>
class LanguageModel : public Module<LanguageModel<T, Kernel>, T> {
  using Base = Module<LanguageModel<T, Kernel>, T>;

 public:
  using Scalar = T;
  static constexpr const char* kind = "LanguageModel";
  LanguageModelOptions options;
  Embedding<T> embedding;
  std::optional<LearnedPosition<T>> position;
  TransformerEncoder<T, Kernel> encoder;
  std::optional<Linear<T>> output;  ///< none if it is the table of embeddings
  Dropout dropout;

  explicit LanguageModel(const LanguageModelOptions& o)
      : options(checked(o)),
        embedding({.num_embeddings = o.vocabulary, .embedding_dim = o.layer.d_model, .scale = 1}),
        encoder({.layer = o.layer, .num_layers = o.num_layers, .final_norm = true}),
        dropout(o.layer.dropout) {
    const Index D = o.layer.d_model;
    if (o.learned_positions)
      position.emplace(LearnedPositionOptions{.max_length = o.max_length, .d_model = D});
    if (!o.tie_embeddings)
      output.emplace(LinearOptions{.in_features = D, .out_features = o.vocabulary, .bias = false});
  }
  LanguageModel(const LanguageModelOptions& o, Random& random) : LanguageModel(o) {
    initialize(random);
  }

  template <class Self, class Tokens>
  static auto forward(Self& self, const Tokens& tokens) {
    self.expect_length(tokens.shape()[1]);
    return logits(self, self.encoder(embed(self, tokens, {}, {}), self.rule()));
  }
  template <class Self, class Tokens, PlacesRows Rows>
  static auto forward(Self& self, const Tokens& tokens, const Rows& rows) {
    rows.check({tokens.shape()[0], 1, tokens.shape()[1], tokens.shape()[1]});
    self.expect_length(rows.longest());
    const auto x = embed(self, tokens, rows.key_positions(), rows.rows_of_all());
    return logits(self, self.encoder(x, rows & self.rule()));
  }
  /// `.output`, the logits, bitwise identical to the call above, and the `.weights` (B, H, L, L) of
  /// attention in each layer.
  auto with_weights(const Tensor<Index, 2>& tokens) const {
    expect_length(tokens.shape()[1]);
    auto both = encoder.with_weights(embed(*this, tokens, {}, {}), rule());
    return WithWeights{logits(*this, both.output), std::move(both.weights)};
  }

  /// A cache of `batch` sequences of up to `capacity` tokens, which stores keys and values as T or
  /// in fewer bits. Under a sliding window it keeps a window only.
  LanguageModelCache<T> cache(Index batch, Index capacity,
                              std::optional<Storage> storage = std::nullopt) const {
    expect_option(batch >= 0, kind, "batch", batch, "at least 0");
    expect_option(capacity >= 0, kind, "capacity", capacity, "at least 0");
    expect_length(capacity);
    LanguageModelCache<T> made{encoder.cache(batch, capacity, {options.sliding_window, storage}),
                               {}};
    made.tokens.resize(static_cast<std::size_t>(batch));
    for (auto& sequence : made.tokens) sequence.reserve(static_cast<std::size_t>(capacity));
    return made;
  }
  /// The logits (B, n, V) after each of the next n tokens (B, n) of every sequence, at the cost of
  /// n positions: bitwise identical to those that a call for all tokens gives for them. If it
  /// throws, the cache is as it was.
  Tensor<T, 3> step(const Tensor<Index, 2>& tokens, LanguageModelCache<T>& cache) const {
    return logits(*this, hidden(tokens, cache));
  }
  /// The same, written to the caller's memory: see Module::into.
  template <class Output>
  void step_into(Output&& logits_out, const Tensor<Index, 2>& tokens,
                 LanguageModelCache<T>& cache) const {
    const auto to = view(logits_out);
    detail::expect_output(kind, to, {tokens.shape()[0], tokens.shape()[1], options.vocabulary});
    detail::compute_into(kind, to, [&] { return step(tokens, cache); });
  }
  /// The logits (B, V) after the last of the next tokens alone. Long prompts are computed in parts.
  Tensor<T, 2> last_logits(const Tensor<Index, 2>& tokens, LanguageModelCache<T>& cache) const {
    const auto [B, L] = tokens.shape();
    expect_option(L >= 1, kind, "the number of tokens", L, "at least 1");
    expect_next(tokens, cache);
    auto last = Tensor<T, 3>::for_overwrite({B, 1, options.layer.d_model});
    for (Index begin = 0; begin < L; begin += part_of_a_prompt()) {
      const Index end = std::min(L, begin + part_of_a_prompt());
      const Tensor<T, 3> x = hidden(tokens.slice(1, begin, end).copy(), cache);
      if (end == L) copy(x.slice(1, end - begin - 1, end - begin), last.view());
    }
    return logits(*this, last).reshape({B, options.vocabulary});
  }

  /// The tokens that follow the prompt, see SamplingOptions. `on_token` is called with each, and
  /// ends the text by returning false. A text ends with max_new_tokens, an end token, or max_length
  /// tokens, those of the prompt included.
  /// Errors: OptionError for options that do not fit, an empty prompt, one that is longer than
  /// max_length, and tokens outside the vocabulary.
  std::vector<Index> generate(const std::vector<Index>& prompt, const SamplingOptions& sampling,
                              const std::function<bool(Index)>& on_token = {}) const {
    const Index longest = detail::longest_text(*this, prompt, sampling);
    LanguageModelCache<T> fresh = cache(1, longest);
    return generate(prompt, sampling, fresh, on_token);
  }
  /// The same, with a cache of one sequence: what the cache has of the beginning of the prompt is
  /// not computed again, and the cache then has prompt and text. A conversation continues so. A
  /// text also ends when the cache is full.
  std::vector<Index> generate(const std::vector<Index>& prompt, const SamplingOptions& sampling,
                              LanguageModelCache<T>& cache,
                              const std::function<bool(Index)>& on_token = {}) const {
    return detail::generate_text(*this, prompt, sampling, cache, on_token);
  }
  /// Several prompts at once: each gets, bitwise, the text that it would get alone. `on_token` is
  /// called with the number of the prompt and the token.
  template <std::same_as<std::vector<std::vector<Index>>> Prompts>
  Prompts generate(const Prompts& prompts, const SamplingOptions& sampling,
                   const std::function<bool(Index, Index)>& on_token = {}) const {
    return detail::generate_texts(*this, prompts, sampling, on_token);
  }

  template <class F>
  void for_each_weight(F&& f) {
    embedding.for_each_weight(f);
    encoder.for_each_weight(f);
    if (output) output->for_each_weight(f);
  }
  void initialize(Random& random) {
    const double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(options.num_layers));
    for_each_matrix(this->parameters(),
                    [&](const auto& matrix) { random.normal(matrix, 0, 0.02); });
    for (auto& layer : encoder.layers) {
      random.normal(layer.self_attn.out_proj.weight.edit(), 0, residual);
      random.normal(layer.feed_forward.linear2.weight.edit(), 0, residual);
    }
  }

  StateDict<T> state_dict() const {
    StateDict<T> state;
    for (const auto& p : this->parameters()) {
      if (detail::is_transposed(options.names, p.name)) {
        std::vector<T> transposed(p.value.begin(), p.value.end());
        detail::transpose_in_place(std::span<T>(transposed), p.shape[0]);
        state.set(p.name, {p.shape[1], p.shape[0]}, transposed);
      } else {
        state.set(p.name, p.shape, p.value);
      }
    }
    return state;
  }
  /// Loads the parameters, see Module. The names may lack `model.` or `transformer.`; buffers that
  /// older files have, and an output layer where it is the table of embeddings, are not read.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    Base::load_state_dict(detail::LanguageModelSource<T, Source>(source, options, prefix));
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    const bool gpt2 = self.options.names == ParameterNames::gpt2;
    visitor(gpt2 ? "transformer.wte" : "model.embed_tokens", self.embedding);
    if (self.position) visitor(gpt2 ? "transformer.wpe" : "model.embed_positions", *self.position);
    for (std::size_t i = 0; i < self.encoder.layers.size(); ++i) {
      const std::string name =
          (gpt2 ? "transformer.h." : "model.layers.") + std::to_string(i) + ".";
      if (gpt2) detail::visit_gpt2_layer(self.encoder.layers[i], name, visitor);
      else detail::visit_llama_layer(self.encoder.layers[i], name, visitor);
    }
    Norm<T>::visit(*self.encoder.norm, gpt2 ? "transformer.ln_f" : "model.norm", visitor);
    if (self.output) visitor("lm_head", *self.output);
  }

 private:
  static const LanguageModelOptions& checked(const LanguageModelOptions& o) {
    expect_option(o.max_length >= 1, kind, "max_length", o.max_length, "at least 1");
    expect_option(o.num_layers >= 0, kind, "num_layers", o.num_layers, "at least 0");
    expect_option(o.sliding_window.value_or(1) >= 1, kind, "sliding_window",
                  o.sliding_window.value_or(1), "at least 1");
    const bool gpt2 = o.names == ParameterNames::gpt2;
    if (gpt2 == o.layer.separate_projections)
      throw OptionError(std::string("LanguageModel: separate_projections must be ") +
                        (gpt2 ? "false for the names of gpt2" : "true for the names of llama"));
    return o;
  }
  void expect_length(Index length) const {
    if (length <= options.max_length) return;
    throw OptionError("LanguageModel: the number of tokens = " + std::to_string(length) +
                      " must be at most max_length = " + std::to_string(options.max_length));
  }

  /// Causal, within the window.
  SlidingWindow rule() const {
    const Index left =
        options.sliding_window ? *options.sliding_window - 1 : SlidingWindow::unlimited;
    return {.left = left, .right = 0, .align = Align::lower_right};
  }
  Index part_of_a_prompt() const {
    return options.sliding_window ? KeyValueCache<T>::most_at_once : 512;
  }

  /// Errors: for tokens that cannot be the next ones of a cache; before anything is computed.
  void expect_next(const Tensor<Index, 2>& tokens, const LanguageModelCache<T>& cache) const {
    const auto [B, n] = tokens.shape();
    if (B != cache.batch())
      throw OptionError("LanguageModel: the number of sequences = " + std::to_string(B) +
                        " must be that of the cache, " + std::to_string(cache.batch()));
    expect_length(cache.length() + n);
    cache.layers.expect_capacity(n);
    EmbeddingLookup::check(tokens, options.vocabulary);
  }
  /// What the layers make of the next tokens, (B, n, D).
  Tensor<T, 3> hidden(const Tensor<Index, 2>& tokens, LanguageModelCache<T>& cache) const {
    const auto [B, n] = tokens.shape();
    expect_next(tokens, cache);
    Tensor<T, 3> x = embedding(tokens);
    if (position)
      x = std::move(x) + apply(EmbeddingLookup{1}, positions(n, cache), position->weight);
    Tensor<T, 3> y = encoder.step(x, cache.layers, rule());
    for (Index b = 0; b < B; ++b) {
      auto& sequence = cache.tokens[static_cast<std::size_t>(b)];
      sequence.insert(sequence.end(), tokens.data() + b * n, tokens.data() + (b + 1) * n);
    }
    return y;
  }
  static Tensor<Index, 2> positions(Index n, const LanguageModelCache<T>& cache) {
    Tensor<Index, 2> at({cache.batch(), n});
    for (Index b = 0; b < cache.batch(); ++b)
      for (Index i = 0; i < n; ++i)
        at(b, i) = std::ssize(cache.tokens[static_cast<std::size_t>(b)]) + i;
    return at;
  }

  template <class Self, class Tokens>
  static auto embed(Self& self, const Tokens& tokens, const RowPositions& positions,
                    const RowPositions& rows) {
    auto x = self.embedding(tokens);
    if (self.position) x = self.position->add_to(std::move(x), positions);
    return self.dropout(std::move(x), rows);
  }
  template <class Self, class X>
  static auto logits(Self& self, const X& x) {
    const std::optional<Parameter<T, 1>> no_bias;
    auto& weight = self.output ? self.output->weight : self.embedding.weight;
    return apply(LinearMap{}, x, weight_rows(weight), no_bias);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
