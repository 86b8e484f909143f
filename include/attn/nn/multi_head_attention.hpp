#pragma once

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/core/option.hpp>
#include <attn/nn/key_value_cache.hpp>
#include <attn/nn/linear.hpp>
#include <attn/nn/multi_head_attention_options.hpp>
#include <attn/nn/rms_norm.hpp>
#include <attn/nn/sequences.hpp>
#include <attn/position/rotary.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// MultiHead(Q, K, V) = Concat(head_1, …, head_H) W^O,
/// head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)   [Vaswani17 §3.2.2]
///
/// query (B, L, D), key (B, S, kdim) and value (B, S, vdim) give (B, L, D). Without the batch axis,
/// and as Eigen matrices, they are one sequence; the result has the query's kind. Parameters are
/// PyTorch's: `in_proj_weight` (H·d_k + G·d_k + G·d_v, D) if kdim and vdim are embed_dim, otherwise
/// `q_proj_weight`, `k_proj_weight`, `v_proj_weight`; `in_proj_bias`, `out_proj.weight`,
/// `out_proj.bias`. With separate projections also `q_proj_bias`, `k_proj_bias`, `v_proj_bias`, and
/// with norms `q_norm`, `k_norm`. They are zero without a Random; with one, they are initialized as
/// in PyTorch (Xavier, biases 0).
///
/// With rotary positions key j stands at position j, and query i at i, or at S − L + i where the
/// functor aligns lower_right. Under Packed, sequences lie side by side in a batch of 1, and their
/// positions are counted within each.
/// Errors: OptionError for sizes that do not divide; ShapeError naming the argument that does not
/// fit; what the rule throws.
template <class T, class Kernel = Tiled>
class MultiHeadAttention : public Module<MultiHeadAttention<T, Kernel>, T> {
 public:
  using Functor = ScaledDotProductAttention<Kernel>;
  static constexpr const char* kind = "MultiHeadAttention";
  MultiHeadAttentionOptions options;
  Functor attention;
  /// Either the first or the other three.
  std::optional<Parameter<T, 2>> in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
  std::optional<Parameter<T, 1>> in_proj_bias, q_proj_bias, k_proj_bias, v_proj_bias;
  std::optional<RMSNorm<T>> q_norm, k_norm;
  std::optional<Rotary> rotary;
  Linear<T> out_proj;

  /// `functor` brings the kernel, the scale and the alignment; its dropout is that of the options.
  explicit MultiHeadAttention(const MultiHeadAttentionOptions& the_options,
                              const Functor& functor = Functor())
      : options(the_options.checked()),
        attention(functor),
        out_proj({.in_features = options.H() * options.value_dim(),
                  .out_features = options.embed_dim,
                  .bias = options.out_bias.value_or(options.bias)}) {
    const Index D = options.embed_dim;
    if (options.projects_jointly()) {
      in_proj_weight.emplace(Shape<2>{options.value_rows().end, D});
    } else {
      q_proj_weight.emplace(Shape<2>{options.query_rows().size(), D});
      k_proj_weight.emplace(Shape<2>{options.key_rows().size(), options.key_width()});
      v_proj_weight.emplace(Shape<2>{options.value_rows().size(), options.value_width()});
    }
    if (options.dropout != 0) attention.options.dropout = options.dropout;
    if (options.bias && !options.separate_projections)
      in_proj_bias.emplace(Shape<1>{options.value_rows().end});
    if (options.bias && options.separate_projections) {
      q_proj_bias.emplace(Shape<1>{options.query_rows().size()});
      k_proj_bias.emplace(Shape<1>{options.key_rows().size()});
      v_proj_bias.emplace(Shape<1>{options.value_rows().size()});
    }
    const Index E = options.key_dim();
    if (options.qk_norm_eps)
      for (auto* norm : {&q_norm, &k_norm})
        norm->emplace(RMSNormOptions{.normalized_shape = E, .eps = options.qk_norm_eps});
    if (options.rotary) rotary.emplace(options.rotary->with_head_dim(E));
  }
  MultiHeadAttention(const MultiHeadAttentionOptions& the_options, Random& random,
                     const Functor& functor = Functor())
      : MultiHeadAttention(the_options, functor) {
    initialize(random);
  }

  template <class Self, class Q, class K, class V, Rule R = NoMask>
  static auto forward(Self& self, const Q& query, const K& key, const V& value,
                      const R& rule = {}) {
    const detail::Sequences<Q> q(query);
    const detail::Sequences<K> k(key);
    const detail::Sequences<V> v(value);
    self.expect(q.shape(), k.shape(), v.shape());
    const auto [query_at, key_at] = self.positions(q.shape(), k.shape(), rule);
    const auto queries = self.rotated(query_heads(self, q.get()), self.options.H(), query_at);
    const auto keys = self.rotated(key_heads(self, k.get()), self.options.G(), key_at);
    const auto values = project(v.get(), value_inputs(self));
    return q.finish(self.out_proj(self.attend_packed(queries, keys, values, rule, {})));
  }

  /// `.output`, bitwise identical to the call above, and `.weights` (B, H, L, S) of each head.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    const detail::Sequences<Q> q(query);
    const detail::Sequences<K> k(key);
    const detail::Sequences<V> v(value);
    expect(q.shape(), k.shape(), v.shape());
    const auto [query_at, key_at] = positions(q.shape(), k.shape(), rule);
    const Tensor<T, 3> queries = rotated(query_heads(*this, q.get()), options.H(), query_at);
    const Tensor<T, 3> keys = rotated(key_heads(*this, k.get()), options.G(), key_at);
    const Tensor<T, 3> values = project(v.get(), value_inputs(*this));
    auto both = attention.with_weights(detail::split_heads(queries.view(), options.H()),
                                       detail::split_heads(keys.view(), options.G()),
                                       detail::split_heads(values.view(), options.G()), rule);
    auto heads = Tensor<T, 3>::for_overwrite(
        {queries.shape()[0], queries.shape()[1], options.H() * options.value_dim()});
    copy(both.output.view(), detail::split_heads(heads.view(), options.H()));
    return WithWeights{q.finish(out_proj(heads)), std::move(both.weights)};
  }

  /// A KV cache for B sequences. `attend` attends to the keys and values that `append` has
  /// projected, with the queries as the last positions of each sequence; the result is bitwise
  /// identical to that of the call above, unless the cache stores them in fewer bits.
  KeyValueCache<T> cache(Index batch, Index capacity, const CacheOptions& o = {}) const {
    return {{batch, capacity}, {options.G(), options.key_dim(), options.value_dim()}, o};
  }
  void append(KeyValueCache<T>& cache, const Tensor<T, 3>& key, const Tensor<T, 3>& value) const {
    cache.append(rotated(key_heads(*this, key), options.G(), cache, 0).view(),
                 project(value, value_inputs(*this)).view());
  }
  /// Sequences of different lengths are asked for one by one, each as if it were alone: the rule
  /// must be the same for all of them.
  template <Rule R = NoMask>
  Tensor<T, 3> attend(const Tensor<T, 3>& query, const KeyValueCache<T>& cache, const R& rule = {},
                      const std::optional<Offsets>& offsets = {}) const {
    return attend_heads(query_heads(*this, query), cache, rule, offsets);
  }
  /// Self-attention of the next positions x: `append(cache, x, x)`, and `attend(x, cache, rule)`.
  /// If it throws, the cache is as it was.
  template <Rule R = NoMask>
  Tensor<T, 3> step(const Tensor<T, 3>& x, KeyValueCache<T>& cache, const R& rule = {}) const {
    auto projected =
        apply_each(LinearMap{}, x, query_inputs(*this), key_inputs(*this), value_inputs(*this));
    const auto keys = rotated(normalized(std::move(projected[1]), k_norm), options.G(), cache, 0);
    return detail::append_or_restore(std::span(&cache, 1), std::identity{}, [&] {
      cache.append(keys.view(), projected[2].view());
      return attend_heads(normalized(std::move(projected[0]), q_norm), cache, rule, {});
    });
  }

  template <class F>
  void for_each_weight(F&& f) {
    for (auto* weight : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
      if (*weight) f(**weight);
    out_proj.for_each_weight(f);
  }
  void initialize(Random& random) {
    for (auto* weight : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
      if (*weight) xavier_uniform((*weight)->edit().view(), random);
    fan_in_uniform(out_proj.weight.edit(), out_proj.weight.shape()[1], random);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    if (self.in_proj_weight) visitor("in_proj_weight", *self.in_proj_weight);
    if (self.q_proj_weight) visitor("q_proj_weight", *self.q_proj_weight);
    if (self.k_proj_weight) visitor("k_proj_weight", *self.k_proj_weight);
    if (self.v_proj_weight) visitor("v_proj_weight", *self.v_proj_weight);
    if (self.in_proj_bias) visitor("in_proj_bias", *self.in_proj_bias);
    if (self.q_proj_bias) visitor("q_proj_bias", *self.q_proj_bias);
    if (self.k_proj_bias) visitor("k_proj_bias", *self.k_proj_bias);
    if (self.v_proj_bias) visitor("v_proj_bias", *self.v_proj_bias);
    if (self.q_norm) visitor("q_norm", *self.q_norm);
    if (self.k_norm) visitor("k_norm", *self.k_norm);
    visitor("out_proj", self.out_proj);
  }

 private:
  /// Attention of projected heads, (B, L, H·d_k), (B, S, G·d_k) and (B, S, G·d_v).
  template <class Q, class K, class V, Rule R>
  auto attend_packed(const Q& queries, const K& keys, const V& values, const R& rule,
                     const std::optional<Offsets>& offsets) const {
    using Operation = detail::AttentionOperation<Functor, R, detail::PackedHeads>;
    const Operation operation{attention, rule, offsets, {options.H(), options.G()}};
    return detail::attend(operation, queries, keys, values);
  }

  /// What gives x W^Q, x W^K or x W^V for all heads: rows of in_proj_weight, or their own weight.
  template <class Self>
  static auto query_inputs(Self& self) {
    return inputs(self, self.q_proj_weight, self.q_proj_bias, self.options.query_rows());
  }
  template <class Self>
  static auto key_inputs(Self& self) {
    return inputs(self, self.k_proj_weight, self.k_proj_bias, self.options.key_rows());
  }
  template <class Self>
  static auto value_inputs(Self& self) {
    return inputs(self, self.v_proj_weight, self.v_proj_bias, self.options.value_rows());
  }
  template <class Self, class Weight, class Bias>
  static auto inputs(Self& self, Weight& own_weight, Bias& own_bias, Range joint) {
    const Range own{0, joint.size()};
    auto& weight = own_weight ? *own_weight : *self.in_proj_weight;
    auto& bias = own_bias ? own_bias : self.in_proj_bias;
    const Range rows_of_weight = own_weight ? own : joint, rows_of_bias = own_bias ? own : joint;
    return std::pair(weight_rows(weight, rows_of_weight.begin, rows_of_weight.end),
                     rows(bias, rows_of_bias.begin, rows_of_bias.end));
  }
  template <class X, class Inputs>
  static auto project(const X& x, const Inputs& of_layer) {
    return apply(LinearMap{}, x, of_layer.first, of_layer.second);
  }

  /// Queries (B, L, H·d_k), not rotated yet, attend to the keys of a cache.
  template <Rule R>
  Tensor<T, 3> attend_heads(Tensor<T, 3>&& projected, const KeyValueCache<T>& cache, const R& rule,
                            const std::optional<Offsets>& offsets) const {
    const Index B = projected.shape()[0], L = projected.shape()[1];
    const Tensor<T, 3> queries = rotated(std::move(projected), options.H(), cache, -L);
    auto heads = Tensor<T, 3>::for_overwrite({B, L, options.H() * options.value_dim()});
    const auto attend_to = [&](Range sequences, const std::optional<Offsets>& at) {
      const auto q = queries.view().slice(0, sequences.begin, sequences.end);
      const auto o = heads.view().slice(0, sequences.begin, sequences.end);
      attention.forward(AttentionInputs{detail::split_heads(q, options.H()), cache.keys(sequences),
                                        cache.values(sequences)},
                        {detail::split_heads(o, options.H())}, rule, at);
    };
    if (cache.is_even()) {
      attend_to({0, B}, cache.first(0) > 0 ? offsets_in(cache, 0, L) : offsets);
    } else {
      for (Index b = 0; b < B; ++b) attend_to({b, b + 1}, offsets_in(cache, b, L));
    }
    return out_proj(heads);
  }

  /// Projected and normalized; not rotated yet.
  template <class Self, class X>
  static auto query_heads(Self& self, const X& x) {
    return normalized(project(x, query_inputs(self)), self.q_norm);
  }
  template <class Self, class X>
  static auto key_heads(Self& self, const X& x) {
    return normalized(project(x, key_inputs(self)), self.k_norm);
  }
  template <class X, class N>
  static X normalized(X&& x, N& norm) {
    if (!norm) return std::move(x);
    const auto [B, L, width] = x.shape();
    const Index E = norm->weight.shape()[0];
    return reshape((*norm)(reshape(std::move(x), {B, L, width / E, E})), {B, L, width});
  }
  template <class X>
  X rotated(X&& x, Index heads, const RowPositions& positions) const {
    return rotary ? rotary->packed(std::move(x), heads, positions) : std::move(x);
  }
  /// Each sequence from `offset` after its end in the cache.
  Tensor<T, 3> rotated(Tensor<T, 3>&& x, Index heads, const KeyValueCache<T>& cache,
                       Index offset) const {
    if (!rotary || cache.batch() != x.shape()[0]) return std::move(x);
    if (cache.is_even()) return rotated(std::move(x), heads, cache.length() + offset);
    for (Index b = 0; b < cache.batch(); ++b) {
      const auto part = detail::split_heads(x.view().slice(0, b, b + 1), heads);
      rotary->rotation(cache.length(b) + offset).rotate(TensorView<const T, 4>(part), part);
    }
    return std::move(x);
  }
  struct Positions {
    RowPositions query, key;
  };
  /// Where the rows of query (1, B, L, D) and key (1, B, S, D) stand.
  template <Rule R>
  Positions positions(const Shape<4>& query, const Shape<4>& key,
                      [[maybe_unused]] const R& rule) const {
    const Align align = attention.options.align.value_or(Align::upper_left);
    if constexpr (PlacesRows<R>) {
      rule.check({query[1], options.H(), query[2], key[2]});
      if (rotary) return {rule.query_positions(align), rule.key_positions()};
    }
    return {align == Align::lower_right ? key[2] - query[2] : 0, 0};
  }
  static Offsets offsets_in(const KeyValueCache<T>& cache, Index b, Index L) {
    return {.query = cache.length(b) - L, .key = cache.first(b)};
  }

  void expect(const Shape<4>& query, const Shape<4>& key, const Shape<4>& value) const {
    const Index B = query[1];
    expect("query", query, {1, B, query[2], options.embed_dim}, "embed_dim");
    expect("key", key, {1, B, key[2], options.key_width()}, "kdim");
    expect("value", value, {1, B, key[2], options.value_width()}, "vdim");
  }
  static void expect(const char* argument, const Shape<4>& got, const Shape<4>& wanted,
                     const char* option) {
    if (got == wanted) return;
    const auto sequence = [](const Shape<4>& s) {
      return s[0] == 1 ? to_string(std::span(s).subspan(1)) : to_string(s);
    };
    throw ShapeError(std::string("MultiHeadAttention: ") + argument + " " + sequence(got) +
                     " must be " + sequence(wanted) +
                     ", the batch and length of what it goes with and " + option + " = " +
                     std::to_string(wanted[3]));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
