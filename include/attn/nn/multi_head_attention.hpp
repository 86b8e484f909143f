#pragma once

#include <attn/autograd/attention.hpp>
#include <attn/autograd/shape.hpp>
#include <attn/core/option.hpp>
#include <attn/nn/key_value_cache.hpp>
#include <attn/nn/linear.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options, and the paper's head sizes: d_k of queries and keys, d_v of values, each by
/// default embed_dim / num_heads.
struct MultiHeadAttentionOptions {
  Index embed_dim, num_heads;
  std::optional<Index> num_kv_heads = std::nullopt;  ///< G, by default num_heads; must divide it
  std::optional<Index> kdim = std::nullopt,
                       vdim = std::nullopt;  ///< widths of key and value, by default embed_dim
  bool bias = true;
  std::optional<Index> d_k = std::nullopt, d_v = std::nullopt;
  double dropout = 0;  ///< of the weights, as AttentionOptions has it
};

/// MultiHead(Q, K, V) = Concat(head_1, …, head_H) W^O,  head_i = Attention(Q W_i^Q, K W_i^K, V
/// W_i^V)   [Vaswani17 §3.2.2]
///
/// query (B, L, D), key (B, S, kdim), value (B, S, vdim) give (B, L, D); without the batch axis,
/// and as Eigen matrices, they are one sequence, and the query's kind comes back. Parameters are
/// PyTorch's: `in_proj_weight` (H·d_k + G·d_k + G·d_v, D) where kdim and vdim are embed_dim, else
/// `q_proj_weight`, `k_proj_weight`, `v_proj_weight`; `in_proj_bias`, `out_proj.weight`,
/// `out_proj.bias`. Zero without a Random; with one, as PyTorch starts them (Xavier, biases 0).
/// Errors: OptionError for sizes that do not divide; ShapeError naming the argument that does not
/// fit; what the rule throws.
template <class T, class Kernel = Tiled>
class MultiHeadAttention : public Module<MultiHeadAttention<T, Kernel>, T> {
 public:
  static constexpr const char* kind = "MultiHeadAttention";
  MultiHeadAttentionOptions options;
  ScaledDotProductAttention<Kernel> attention;
  /// Either the first or the other three.
  std::optional<Parameter<T, 2>> in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
  std::optional<Parameter<T, 1>> in_proj_bias;
  Linear<T> out_proj;

  explicit MultiHeadAttention(
      const MultiHeadAttentionOptions& the_options,
      const ScaledDotProductAttention<Kernel>& functor = ScaledDotProductAttention<Kernel>())
      : options(checked(the_options)),
        attention(functor),
        out_proj({.in_features = H() * d_v(), .out_features = D(), .bias = options.bias}) {
    if (kdim() == D() && vdim() == D()) {
      in_proj_weight.emplace(Shape<2>{query_rows() + key_rows() + value_rows(), D()});
    } else {
      q_proj_weight.emplace(Shape<2>{query_rows(), D()});
      k_proj_weight.emplace(Shape<2>{key_rows(), kdim()});
      v_proj_weight.emplace(Shape<2>{value_rows(), vdim()});
    }
    if (options.dropout != 0) attention.options.dropout = options.dropout;
    if (options.bias) in_proj_bias.emplace(Shape<1>{query_rows() + key_rows() + value_rows()});
  }
  MultiHeadAttention(
      const MultiHeadAttentionOptions& the_options, Random& random,
      const ScaledDotProductAttention<Kernel>& functor = ScaledDotProductAttention<Kernel>())
      : MultiHeadAttention(the_options, functor) {
    for (auto* weight : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
      if (*weight) xavier_uniform((*weight)->edit().view(), random);
    fan_in_uniform(out_proj.weight.edit(), H() * d_v(), random);
  }

  template <class Self, class Q, class K, class V, Rule R = NoMask>
  static auto forward(Self& self, const Q& query, const K& key, const V& value,
                      const R& rule = {}) {
    return self.with_sequences(query, key, value, [&](const auto& q, const auto& k, const auto& v) {
      return self.out_proj(self.side_by_side()(self.attention, project_queries(self, q),
                                               project_keys(self, k), project_values(self, v),
                                               rule));
    });
  }

  /// `.output`, to the bit as without, and `.weights` (B, H, L, S), of each head its own.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    Tensor<T, 4> weights;
    auto output =
        with_sequences(query, key, value, [&](const auto& q, const auto& k, const auto& v) {
          const Tensor<T, 3> projected[] = {project_queries(*this, q), project_keys(*this, k),
                                            project_values(*this, v)};
          auto both = attention.with_weights(split_heads(projected[0].view(), H()),
                                             split_heads(projected[1].view(), G()),
                                             split_heads(projected[2].view(), G()), rule);
          auto heads = Tensor<T, 3>::for_overwrite({q.shape()[0], q.shape()[1], H() * d_v()});
          copy(both.output.view(), split_heads(heads.view(), H()));
          weights = std::move(both.weights);
          return out_proj(heads);
        });
    return WithWeights{std::move(output), std::move(weights)};
  }

  /// A cache for keys and values of B sequences; what `append` has projected, `attend` looks at, to
  /// the same bits as the call above.
  KeyValueCache<T> cache(Index batch, Index capacity) const {
    return {batch, capacity, key_rows(), value_rows()};
  }
  void append(KeyValueCache<T>& cache, const Tensor<T, 3>& key, const Tensor<T, 3>& value) const {
    cache.append(project_keys(*this, key.view()).view(),
                 project_values(*this, value.view()).view());
  }
  template <Rule R = NoMask>
  Tensor<T, 3> attend(const Tensor<T, 3>& query, const KeyValueCache<T>& cache, const R& rule = {},
                      const std::optional<Offsets>& offsets = {}) const {
    const Tensor<T, 3> q = project_queries(*this, query.view());
    return out_proj(side_by_side().at(offsets)(attention, q.view(), cache.view().keys,
                                               cache.view().values, rule));
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
  Index D() const { return options.embed_dim; }
  Index H() const { return options.num_heads; }
  Index G() const { return options.num_kv_heads.value_or(H()); }
  Index kdim() const { return options.kdim.value_or(D()); }
  Index vdim() const { return options.vdim.value_or(D()); }
  Index d_k() const { return options.d_k.value_or(D() / H()); }
  Index d_v() const { return options.d_v.value_or(D() / H()); }
  Index query_rows() const { return H() * d_k(); }
  Index key_rows() const { return G() * d_k(); }
  Index value_rows() const { return G() * d_v(); }

  static const MultiHeadAttentionOptions& checked(const MultiHeadAttentionOptions& o) {
    const auto expect = [](bool good, const std::string& rule) {
      if (!good) throw OptionError("MultiHeadAttention: " + rule);
    };
    const auto given = [](const char* option, Index value) {
      return option + (" = " + std::to_string(value));
    };
    expect(o.num_heads > 0, given("num_heads", o.num_heads) + " must be at least 1");
    const bool own_sizes = o.d_k && o.d_v;
    expect(o.embed_dim > 0 && (own_sizes || o.embed_dim % o.num_heads == 0),
           given("embed_dim", o.embed_dim) + " must be a positive multiple of " +
               given("num_heads", o.num_heads));
    expect(o.d_k.value_or(1) > 0, given("d_k", o.d_k.value_or(1)) + " must be at least 1");
    expect(o.d_v.value_or(1) > 0, given("d_v", o.d_v.value_or(1)) + " must be at least 1");
    expect_option(o.dropout >= 0 && o.dropout < 1, kind, "dropout", o.dropout,
                  "at least 0 and below 1");
    const Index G = o.num_kv_heads.value_or(o.num_heads);
    expect(G > 0 && o.num_heads % G == 0,
           given("num_kv_heads", G) + " must divide " + given("num_heads", o.num_heads));
    for (const Index E : {o.d_k.value_or(1), o.d_v.value_or(1)})
      expect(E <= std::numeric_limits<Index>::max() / (4 * o.num_heads),
             given("num_heads", o.num_heads) + " of a head size " + std::to_string(E) +
                 " must be fewer than 64 bits can count");
    expect(o.kdim.value_or(1) > 0, given("kdim", o.kdim.value_or(1)) + " must be at least 1");
    expect(o.vdim.value_or(1) > 0, given("vdim", o.vdim.value_or(1)) + " must be at least 1");
    return o;
  }

  SideBySide side_by_side() const { return {H(), G()}; }

  /// x W^Q for all heads, x W^K, x W^V: rows of in_proj_weight, or a weight of its own.
  template <class Self, class X>
  static auto project_queries(Self& self, const X& x) {
    return project(self, x, self.q_proj_weight, self.queries_, {0, self.query_rows()});
  }
  template <class Self, class X>
  static auto project_keys(Self& self, const X& x) {
    return project(self, x, self.k_proj_weight, self.keys_,
                   {self.query_rows(), self.query_rows() + self.key_rows()});
  }
  template <class Self, class X>
  static auto project_values(Self& self, const X& x) {
    const Index begin = self.query_rows() + self.key_rows();
    return project(self, x, self.v_proj_weight, self.values_, {begin, begin + self.value_rows()});
  }
  template <class Self, class X, class Own>
  static auto project(Self& self, const X& x, Own& own, const Projection<T>& projection,
                      const Range& rows) {
    const RowsOfParameter bias{self.in_proj_bias, rows.begin, rows.end};
    return own ? projection(x, RowsOfParameter{*own, 0, rows.size()}, bias)
               : projection(x, RowsOfParameter{*self.in_proj_weight, rows.begin, rows.end}, bias);
  }

  /// compute(q, k, v) of operands of any kind, which must fit each other, as sequences (B, L, D),
  /// (B, S, kdim), (B, S, vdim): views, or variables where one of them is a variable. The result,
  /// (B, L, D), gets the query's kind.
  template <class Q, class K, class V, class Compute>
  auto with_sequences(const Q& query_operand, const K& key_operand, const V& value_operand,
                      Compute&& compute) const {
    if constexpr (AnyVariable<Q, K, V>) {
      auto& tape = tape_of(query_operand, key_operand, value_operand);
      const auto query = on_tape(tape, query_operand), key = on_tape(tape, key_operand),
                 value = on_tape(tape, value_operand);
      using Sequences = Operand<std::remove_cvref_t<decltype(query.value())>>;
      expect(Sequences(query.value()).heads(), Sequences(key.value()).heads(),
             Sequences(value.value()).heads());
      if constexpr (decltype(query.value().view())::axes == 2) {
        const auto one = [](const auto& x) { return reshape(x, {1, x.shape()[0], x.shape()[1]}); };
        return reshape(compute(one(query), one(key), one(value)), {query.shape()[0], D()});
      } else {
        return compute(query, key, value);
      }
    } else {
      const Operand<Q> q(query_operand);
      const Operand<K> k(key_operand);
      const Operand<V> v(value_operand);
      const TensorView<const T, 4> query = q.heads(), key = k.heads(),
                                   value = v.heads();  // (1, B, L, D) …
      expect(query, key, value);
      return Operand<Q>::finish(compute(query[0], key[0], value[0])
                                    .reshape({1, query.shape()[1], query.shape()[2], D()}));
    }
  }
  void expect(const TensorView<const T, 4>& query, const TensorView<const T, 4>& key,
              const TensorView<const T, 4>& value) const {
    expect(query, "query", query.shape()[1], query.shape()[2], "embed_dim", D());
    expect(key, "key", query.shape()[1], key.shape()[2], "kdim", kdim());
    expect(value, "value", query.shape()[1], key.shape()[2], "vdim", vdim());
  }
  static void expect(const TensorView<const T, 4>& x, const char* argument, Index batch,
                     Index length, const char* option, Index width) {
    const Shape<4> wanted{1, batch, length, width};
    if (x.shape() == wanted) return;
    const auto sequence = [](const Shape<4>& s) {
      return s[0] == 1 ? to_string(std::span(s).subspan(1)) : to_string(s);
    };
    throw ShapeError(std::string("MultiHeadAttention: ") + argument + " " + sequence(x.shape()) +
                     " must be " + sequence(wanted) +
                     ", the batch and length of what it goes with and " + option + " = " +
                     std::to_string(width));
  }

  Projection<T> queries_, keys_, values_;
};

}  // namespace ATTN_ABI
}  // namespace attn
