#pragma once

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/nn/key_value_cache.hpp>
#include <attn/nn/linear.hpp>

namespace attn::inline ATTN_ABI {

/// (B, L, H·E) seen as H heads (B, H, L, E), where it lies.
template <class T>
TensorView<T, 4> split_heads(const TensorView<T, 3>& x, Index heads) {
  const Index E = heads > 0 ? x.shape()[2] / heads : 0;
  return {x.data(), {x.shape()[0], heads, x.shape()[1], E}, {x.strides()[0], E, x.strides()[1], 1}};
}

/// PyTorch's options, and the paper's head sizes: d_k of queries and keys, d_v of values, each by default embed_dim / num_heads.
struct MultiHeadAttentionOptions {
  Index embed_dim, num_heads;
  std::optional<Index> num_kv_heads = std::nullopt;               ///< G, by default num_heads; must divide it
  std::optional<Index> kdim = std::nullopt, vdim = std::nullopt;  ///< widths of key and value, by default embed_dim
  bool bias = true;
  std::optional<Index> d_k = std::nullopt, d_v = std::nullopt;
};

/// MultiHead(Q, K, V) = Concat(head_1, …, head_H) W^O,  head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)   [Vaswani17 §3.2.2]
///
/// query (B, L, D), key (B, S, kdim), value (B, S, vdim) give (B, L, D); without the batch axis, and as Eigen matrices, they
/// are one sequence, and the query's kind comes back. Parameters are PyTorch's: `in_proj_weight` (H·d_k + G·d_k + G·d_v, D) where
/// kdim and vdim are embed_dim, else `q_proj_weight`, `k_proj_weight`, `v_proj_weight`; `in_proj_bias`, `out_proj.weight`,
/// `out_proj.bias`. Zero without a Random; with one, as PyTorch starts them (Xavier, biases 0).
/// Errors: OptionError for sizes that do not divide; ShapeError naming the argument that does not fit; what the rule throws.
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

  explicit MultiHeadAttention(const MultiHeadAttentionOptions& the_options,
                              const ScaledDotProductAttention<Kernel>& functor = ScaledDotProductAttention<Kernel>())
      : options(checked(the_options)), attention(functor), out_proj({.in_features = H() * d_v(), .out_features = D(), .bias = options.bias}) {
    if (kdim() == D() && vdim() == D()) {
      in_proj_weight.emplace(Shape<2>{query_rows() + key_rows() + value_rows(), D()});
    } else {
      q_proj_weight.emplace(Shape<2>{query_rows(), D()});
      k_proj_weight.emplace(Shape<2>{key_rows(), kdim()});
      v_proj_weight.emplace(Shape<2>{value_rows(), vdim()});
    }
    if (options.bias) in_proj_bias.emplace(Shape<1>{query_rows() + key_rows() + value_rows()});
  }
  MultiHeadAttention(const MultiHeadAttentionOptions& the_options, Random& random,
                     const ScaledDotProductAttention<Kernel>& functor = ScaledDotProductAttention<Kernel>())
      : MultiHeadAttention(the_options, functor) {
    for (auto* weight : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
      if (*weight) xavier_uniform((*weight)->edit().view(), random);
    fan_in_uniform(out_proj.weight.edit(), H() * d_v(), random);
  }

  template <class Q, class K, class V, Rule R = NoMask>
  auto operator()(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    return attend_to(query, key, value, [&](const auto& to, const auto&... qkv) { attention.into(to, qkv..., rule); });
  }

  /// `.output`, to the bit as without, and `.weights` (B, H, L, S), of each head its own.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    Tensor<T, 4> weights;
    auto output = attend_to(query, key, value, [&](const auto& to, const auto&... qkv) {
      auto both = attention.with_weights(qkv..., rule);
      copy(both.output.view(), to);
      weights = std::move(both.weights);
    });
    return WithWeights{std::move(output), std::move(weights)};
  }

  /// A cache for keys and values of B sequences; what `append` has projected, `attend` looks at, to the same bits as the call above.
  KeyValueCache<T> cache(Index batch, Index capacity) const { return {batch, capacity, key_rows(), value_rows()}; }
  void append(KeyValueCache<T>& cache, const Tensor<T, 3>& key, const Tensor<T, 3>& value) const {
    cache.append(project_keys(key).view(), project_values(value).view());
  }
  template <Rule R = NoMask>
  Tensor<T, 3> attend(const Tensor<T, 3>& query, const KeyValueCache<T>& cache, const R& rule = {}) const {
    return attend_to(query.view(), cache.view(), [&](const auto& to, const auto&... qkv) { attention.into(to, qkv..., rule); });
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
    const auto given = [](const char* option, Index value) { return option + (" = " + std::to_string(value)); };
    expect(o.num_heads > 0, given("num_heads", o.num_heads) + " must be at least 1");
    const bool own_sizes = o.d_k && o.d_v;
    expect(o.embed_dim > 0 && (own_sizes || o.embed_dim % o.num_heads == 0),
           given("embed_dim", o.embed_dim) + " must be a positive multiple of " + given("num_heads", o.num_heads));
    expect(o.d_k.value_or(1) > 0, given("d_k", o.d_k.value_or(1)) + " must be at least 1");
    expect(o.d_v.value_or(1) > 0, given("d_v", o.d_v.value_or(1)) + " must be at least 1");
    const Index G = o.num_kv_heads.value_or(o.num_heads);
    expect(G > 0 && o.num_heads % G == 0, given("num_kv_heads", G) + " must divide " + given("num_heads", o.num_heads));
    for (const Index E : {o.d_k.value_or(1), o.d_v.value_or(1)})
      expect(E <= std::numeric_limits<Index>::max() / (4 * o.num_heads),
             given("num_heads", o.num_heads) + " of a head size " + std::to_string(E) + " must be fewer than 64 bits can count");
    expect(o.kdim.value_or(1) > 0, given("kdim", o.kdim.value_or(1)) + " must be at least 1");
    expect(o.vdim.value_or(1) > 0, given("vdim", o.vdim.value_or(1)) + " must be at least 1");
    return o;
  }

  /// x W^Q for all heads, or x W^K, x W^V: rows `begin` … `begin + rows` − 1 of in_proj_weight, or a weight of its own.
  Tensor<T, 3> project(const TensorView<const T, 3>& x, const std::optional<Parameter<T, 2>>& own, const MadeFrom<PackedMatrix<T>>& packed, Index begin,
                       Index rows) const {
    const Parameter<T, 2>& weight = own ? *own : *in_proj_weight;
    const auto W =
        packed.get(weight.stamp(), [&] { return PackedMatrix<T>::transposed(own ? weight.value().view() : weight.value().slice(0, begin, begin + rows)); });
    return in_proj_bias ? linear(x, *W, in_proj_bias->value().slice(0, begin, begin + rows)) : linear(x, *W, std::nullopt);
  }

  Tensor<T, 3> project_keys(const TensorView<const T, 3>& x) const { return project(x, k_proj_weight, packed_k_, query_rows(), key_rows()); }
  Tensor<T, 3> project_values(const TensorView<const T, 3>& x) const { return project(x, v_proj_weight, packed_v_, query_rows() + key_rows(), value_rows()); }

  /// Any operands, which must fit each other.
  template <class Q, class K, class V, class Attend>
  auto attend_to(const Q& query_operand, const K& key_operand, const V& value_operand, Attend&& attend) const {
    const Operand<Q> q(query_operand);
    const Operand<K> k(key_operand);
    const Operand<V> v(value_operand);
    const TensorView<const T, 4> query = q.heads(), key = k.heads(), value = v.heads();  // (1, B, L, D) …
    expect(query, "query", query.shape()[1], query.shape()[2], "embed_dim", D());
    expect(key, "key", query.shape()[1], key.shape()[2], "kdim", kdim());
    expect(value, "value", query.shape()[1], key.shape()[2], "vdim", vdim());
    const Tensor<T, 3> projected_keys = project_keys(key[0]), projected_values = project_values(value[0]);
    return Operand<Q>::finish(
        attend_to(query[0], {projected_keys.view(), projected_values.view()}, attend).reshape({1, query.shape()[1], query.shape()[2], D()}));
  }
  template <class Attend>
  Tensor<T, 3> attend_to(const TensorView<const T, 3>& query, const KeysAndValues<T>& to, Attend&& attend) const {
    const Tensor<T, 3> q = project(query, q_proj_weight, packed_q_, 0, query_rows());
    auto heads = Tensor<T, 3>::for_overwrite({query.shape()[0], query.shape()[1], H() * d_v()});
    attend(split_heads(heads.view(), H()), split_heads(q.view(), H()), split_heads(to.keys, G()), split_heads(to.values, G()));
    return out_proj(heads);
  }
  static void expect(const TensorView<const T, 4>& x, const char* argument, Index batch, Index length, const char* option, Index width) {
    const Shape<4> wanted{1, batch, length, width};
    if (x.shape() == wanted) return;
    const auto sequence = [](const Shape<4>& s) { return s[0] == 1 ? to_string(std::span(s).subspan(1)) : to_string(s); };
    throw ShapeError(std::string("MultiHeadAttention: ") + argument + " " + sequence(x.shape()) + " must be " + sequence(wanted) +
                     ", the batch and length of what it goes with and " + option + " = " + std::to_string(width));
  }

  MadeFrom<PackedMatrix<T>> packed_q_, packed_k_, packed_v_;
};

}  // namespace attn::inline ATTN_ABI
