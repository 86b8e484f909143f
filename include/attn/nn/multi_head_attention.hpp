#pragma once

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/core/option.hpp>
#include <attn/nn/key_value_cache.hpp>
#include <attn/nn/linear.hpp>
#include <attn/nn/multi_head_attention_options.hpp>
#include <attn/nn/sequences.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// MultiHead(Q, K, V) = Concat(head_1, …, head_H) W^O,
/// head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)   [Vaswani17 §3.2.2]
///
/// query (B, L, D), key (B, S, kdim) and value (B, S, vdim) give (B, L, D). Without the batch axis,
/// and as Eigen matrices, they are one sequence; the result has the query's kind. Parameters are
/// PyTorch's: `in_proj_weight` (H·d_k + G·d_k + G·d_v, D) if kdim and vdim are embed_dim, otherwise
/// `q_proj_weight`, `k_proj_weight`, `v_proj_weight`; `in_proj_bias`, `out_proj.weight`,
/// `out_proj.bias`. They are zero without a Random; with one, they are initialized as in PyTorch
/// (Xavier, biases 0).
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
  std::optional<Parameter<T, 1>> in_proj_bias;
  Linear<T> out_proj;

  /// `functor` brings the kernel, the scale and the alignment; its dropout is that of the options.
  explicit MultiHeadAttention(const MultiHeadAttentionOptions& the_options,
                              const Functor& functor = Functor())
      : options(the_options.checked()),
        attention(functor),
        out_proj({.in_features = options.H() * options.value_dim(),
                  .out_features = options.embed_dim,
                  .bias = options.bias}) {
    const Index D = options.embed_dim;
    if (options.key_width() == D && options.value_width() == D) {
      in_proj_weight.emplace(Shape<2>{options.value_rows().end, D});
    } else {
      q_proj_weight.emplace(Shape<2>{options.query_rows().size(), D});
      k_proj_weight.emplace(Shape<2>{options.key_rows().size(), options.key_width()});
      v_proj_weight.emplace(Shape<2>{options.value_rows().size(), options.value_width()});
    }
    if (options.dropout != 0) attention.options.dropout = options.dropout;
    if (options.bias) in_proj_bias.emplace(Shape<1>{options.value_rows().end});
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
    const auto queries = project_query(self, q.get());
    const auto keys = project_key(self, k.get());
    const auto values = project_value(self, v.get());
    return q.finish(self.out_proj(self.attend_packed(queries, keys, values, rule, {})));
  }

  /// `.output`, bitwise identical to the call above, and `.weights` (B, H, L, S) of each head.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    const detail::Sequences<Q> q(query);
    const detail::Sequences<K> k(key);
    const detail::Sequences<V> v(value);
    expect(q.shape(), k.shape(), v.shape());
    const Tensor<T, 3> queries = project_query(*this, q.get());
    const Tensor<T, 3> keys = project_key(*this, k.get());
    const Tensor<T, 3> values = project_value(*this, v.get());
    auto both = attention.with_weights(detail::split_heads(queries.view(), options.H()),
                                       detail::split_heads(keys.view(), options.G()),
                                       detail::split_heads(values.view(), options.G()), rule);
    auto heads = Tensor<T, 3>::for_overwrite(
        {queries.shape()[0], queries.shape()[1], options.H() * options.value_dim()});
    copy(both.output.view(), detail::split_heads(heads.view(), options.H()));
    return WithWeights{q.finish(out_proj(heads)), std::move(both.weights)};
  }

  /// A KV cache for B sequences. `attend` attends to the keys and values that `append` has
  /// projected; the result is bitwise identical to that of the call above.
  KeyValueCache<T> cache(Index batch, Index capacity) const {
    return {batch, capacity, options.key_rows().size(), options.value_rows().size()};
  }
  void append(KeyValueCache<T>& cache, const Tensor<T, 3>& key, const Tensor<T, 3>& value) const {
    cache.append(project_key(*this, key).view(), project_value(*this, value).view());
  }
  template <Rule R = NoMask>
  Tensor<T, 3> attend(const Tensor<T, 3>& query, const KeyValueCache<T>& cache, const R& rule = {},
                      const std::optional<Offsets>& offsets = {}) const {
    return out_proj(
        attend_packed(project_query(*this, query), cache.keys(), cache.values(), rule, offsets));
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

  /// x W^Q, x W^K or x W^V for all heads: by rows of in_proj_weight, or by a weight of its own.
  template <class Self, class X>
  static auto project_query(Self& self, const X& x) {
    return project(self, x, self.q_proj_weight, self.options.query_rows());
  }
  template <class Self, class X>
  static auto project_key(Self& self, const X& x) {
    return project(self, x, self.k_proj_weight, self.options.key_rows());
  }
  template <class Self, class X>
  static auto project_value(Self& self, const X& x) {
    return project(self, x, self.v_proj_weight, self.options.value_rows());
  }
  template <class Self, class X, class Own>
  static auto project(Self& self, const X& x, Own& own, Range range) {
    const auto bias = rows(self.in_proj_bias, range.begin, range.end);
    return own ? apply(LinearMap{}, x, weight_rows(*own), bias)
               : apply(LinearMap{}, x, weight_rows(*self.in_proj_weight, range.begin, range.end),
                       bias);
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
