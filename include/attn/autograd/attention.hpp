#pragma once

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/autograd/tape.hpp>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

/// (B, L, H·E) seen as H heads (B, H, L, E), where it lies.
template <class T>
TensorView<T, 4> split_heads(const TensorView<T, 3>& x, Index heads) {
  const Index E = heads > 0 ? x.shape()[2] / heads : 0;
  return {x.data(), {x.shape()[0], heads, x.shape()[1], E}, {x.strides()[0], E, x.strides()[1], 1}};
}

/// Attention of variables, recorded: `query_heads` and `key_heads` show what belongs to queries, or
/// to keys and values, as (B, H, L, E) where it lies. Kept until backward: the operands, the
/// output, and the log-sum-exp, nothing of the size L·S; and the rule.
template <class Kernel, class T, int N, Rule R, class QueryHeads, class KeyHeads>
Variable<T, N> record_attention(const ScaledDotProductAttention<Kernel>& attention,
                                const std::array<Variable<T, N>, 3>& qkv, const R& rule,
                                Tensor<T, N> output, const QueryHeads& query_heads,
                                const KeyHeads& key_heads) {
  const Variable<T, N>&q = qkv[0], &k = qkv[1], &v = qkv[2];
  auto kept_rule = std::make_shared<const R>(rule);
  const auto query = query_heads(q.value().view()), key = key_heads(k.value().view()),
             value = key_heads(v.value().view());
  const auto [B, H, L, E] = query.shape();
  std::optional<WeightDropout<T>> dropout;
  if (Random* const random = q.tape().random(); random && attention.options.dropout > 0)
    dropout.emplace(attention.options.dropout, ScoreShape{B, H, L, key.shape()[2]}, *random);
  Tensor<T, 3> log_sum_exp({B, H, L});
  attention.forward(AttentionInputs<T>{query, key, value, dropout},
                    {query_heads(output.view()), std::nullopt, log_sum_exp.view()}, *kept_rule);
  auto o = std::make_shared<const Tensor<T, N>>(std::move(output));
  auto back = [attention, kept_rule, dropout, query_heads, key_heads, q = q.kept(), k = k.kept(),
               v = v.kept(), o, log_sum_exp = std::move(log_sum_exp), dq = q.gradient(),
               dk = k.gradient(), dv = v.gradient()](const Tensor<T, N>& d_o) {
    auto d_query = Tensor<T, N>::for_overwrite(q->shape()),
         d_key = Tensor<T, N>::for_overwrite(k->shape()),
         d_value = Tensor<T, N>::for_overwrite(v->shape());
    attention.backward(
        AttentionInputs<T>{query_heads(q->view()), key_heads(k->view()), key_heads(v->view()),
                           dropout},
        {query_heads(o->view()), log_sum_exp, query_heads(d_o.view())}, *kept_rule,
        {query_heads(d_query.view()), key_heads(d_key.view()), key_heads(d_value.view())});
    if (dq) dq->add(std::move(d_query));
    if (dk) dk->add(std::move(d_key));
    if (dv) dv->add(std::move(d_value));
  };
  struct Learned {
    bool needs_gradient() const { return BoundRule<R>::has_parameters; }
  };
  return q.tape().record(std::move(o), std::move(back), q, k, v, Learned{});
}

/// What ScaledDotProductAttention calls for operands of which some are variables: of 4, 3 or 2
/// axes.
template <class Kernel, class Q, class K, class V, Rule R>
  requires AnyVariable<Q, K, V>
auto attend(const ScaledDotProductAttention<Kernel>& attention, const Q& query, const K& key,
            const V& value, const R& rule) {
  auto& tape = tape_of(query, key, value);
  const auto q = on_tape(tape, query);
  const decltype(q) k = on_tape(tape, key), v = on_tape(tape, value);
  const auto heads = [](const auto& view) {
    return Operand<std::remove_cvref_t<decltype(view)>>(view).heads();
  };
  auto shape = q.shape();
  shape.back() = v.shape().back();
  return record_attention(attention, std::array{q, k, v}, rule,
                          std::remove_cvref_t<decltype(q.value())>::for_overwrite(shape), heads,
                          heads);
}

/// Attention of heads that lie side by side: query (B, L, H·E), key (B, S, G·E), value (B, S, G·Ev)
/// give (B, L, H·Ev).
struct SideBySide {
  Index H, G;
  std::optional<Offsets> offsets = std::nullopt;

  /// The same, with queries and keys that are a part of all.
  SideBySide at(const std::optional<Offsets>& where) const { return {H, G, where}; }

  template <class Kernel, class T, Rule R>
  Tensor<T, 3> operator()(const ScaledDotProductAttention<Kernel>& attention,
                          const Tensor<T, 3>& query, const Tensor<T, 3>& key,
                          const Tensor<T, 3>& value, const R& rule) const {
    return (*this)(attention, query.view(), key.view(), value.view(), rule);
  }
  template <class Kernel, class T, Rule R>
  Tensor<T, 3> operator()(const ScaledDotProductAttention<Kernel>& attention,
                          const TensorView<const T, 3>& query, const TensorView<const T, 3>& key,
                          const TensorView<const T, 3>& value, const R& rule) const {
    auto output = Tensor<T, 3>::for_overwrite(output_shape(query.shape(), value.shape()));
    attention.forward(
        AttentionInputs<T>{split_heads(query, H), split_heads(key, G), split_heads(value, G)},
        {split_heads(output.view(), H)}, rule, offsets);
    return output;
  }
  template <class Kernel, class T, Rule R>
  Variable<T, 3> operator()(const ScaledDotProductAttention<Kernel>& attention,
                            const Variable<T, 3>& query, const Variable<T, 3>& key,
                            const Variable<T, 3>& value, const R& rule) const {
    const auto split_by = [](Index heads) {
      return [heads](const auto& view) { return split_heads(view, heads); };
    };
    return record_attention(attention, std::array{query, key, value}, rule,
                            Tensor<T, 3>::for_overwrite(output_shape(query.shape(), value.shape())),
                            split_by(H), split_by(G));
  }

 private:
  Shape<3> output_shape(const Shape<3>& query, const Shape<3>& value) const {
    return {query[0], query[1], value[2] / G * H};
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
