#pragma once

#include <attn/attention/attention_call.hpp>
#include <attn/autograd/apply.hpp>
#include <attn/core/split_heads.hpp>
#include <attn/core/storage.hpp>
#include <attn/rules/packed.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Operands whose heads are an axis: (B, H, L, E), (H, L, E) or (L, E).
struct SeparateHeads {
  template <class T, int N>
  TensorView<T, 4> query(const TensorView<T, N>& x) const {
    return with_leading_axes<4>(x);
  }
  template <class T, int N>
  TensorView<T, 4> key(const TensorView<T, N>& x) const {
    return with_leading_axes<4>(x);
  }
  template <std::size_t N>
  std::array<Index, N> output_shape(std::array<Index, N> query,
                                    const std::array<Index, N>& value) const {
    query.back() = value.back();
    return query;
  }
  template <class Operation, class Q, class K, class V>
  auto compute(const Operation& of, const Q& q, const K& k, const V& v) const {
    return of.attention.compute(q, k, v, of.rule, of.offsets);
  }
};

/// Operands whose heads lie side by side, as a projection gives them: query (B, L, H·E), key
/// (B, S, G·E) and value (B, S, G·Ev) give (B, L, H·Ev).
struct PackedHeads {
  Index H, G;

  template <class T>
  TensorView<T, 4> query(const TensorView<T, 3>& x) const {
    return split_heads(x, H);
  }
  template <class T>
  TensorView<T, 4> key(const TensorView<T, 3>& x) const {
    return split_heads(x, G);
  }
  Shape<3> output_shape(const Shape<3>& query, const Shape<3>& value) const {
    return {query[0], query[1], value[2] / G * H};
  }
  template <class Operation, class Q, class K, class V>
  auto compute(const Operation& of, const Q& q, const K& k, const V& v) const {
    using T = typename Q::Scalar;
    auto output = Tensor<T, 3>::for_overwrite(output_shape(q.shape(), v.shape()));
    of.attention.forward(AttentionInputs<T>{query(TensorView<const T, 3>(view(q))),
                                            key(TensorView<const T, 3>(view(k))),
                                            key(TensorView<const T, 3>(view(v)))},
                         {query(output.view())}, of.rule, of.offsets);
    return output;
  }
};

/// The extents of the scores of a call as its rule, and dropout, are asked about them.
template <Rule R>
ScoreShape scores_under(const R&, const ScoreShape& call) {
  return call;
}
template <Rule R>
ScoreShape scores_under(const Packed<R>& packed, const ScoreShape& call) {
  packed.check(call);
  return packed.padded(call.heads);
}

/// Attention as an operation of query, key, value, and the variables of a rule that has some.
/// It refers to the functor and the rule; what is recorded has copies. The tape keeps query, key,
/// value, output and log-sum-exp until the backward pass, and nothing of the size L·S.
template <class Functor, Rule R, class Heads>
struct AttentionOperation {
  const Functor& attention;
  const R& rule;
  const std::optional<Offsets>& offsets;
  Heads heads;

  template <class Q, class K, class V, class... Learned>
  auto forward(const Q& q, const K& k, const V& v, const Learned&...) const {
    return heads.compute(*this, q, k, v);
  }

  template <class T, int N>
  struct Saved {
    Functor attention;
    R rule;
    std::optional<Offsets> offsets;
    std::shared_ptr<const Tensor<T, N>> query, key, value, output;
    Tensor<T, 3> log_sum_exp;
    std::optional<WeightDropout<T>> dropout;

    AttentionInputs<T> inputs(const Heads& layout) const {
      return {layout.query(query->view()), layout.key(key->view()), layout.key(value->view()),
              dropout};
    }
  };
  template <class T, int N, class... Learned>
  auto forward(const Recording& recording, const Input<T, N>& q, const Input<T, N>& k,
               const Input<T, N>& v, const Learned&...) const {
    auto output = Tensor<T, N>::for_overwrite(heads.output_shape(q.shape(), v.shape()));
    const TensorView<T, 4> o = heads.query(output.view());
    const ScoreShape scores = scores_under(
        rule, {o.shape()[0], o.shape()[1], o.shape()[2], heads.key(k.value().view()).shape()[2]});
    Saved<T, N> saved{attention,        rule,    offsets, q.shared_value(), k.shared_value(),
                      v.shared_value(), nullptr, {},      std::nullopt};
    saved.log_sum_exp = Tensor<T, 3>({o.shape()[0], o.shape()[1], o.shape()[2]});
    if (const double p = attention.options.dropout; recording.random && p > 0)
      saved.dropout.emplace(p, scores, *recording.random);
    attention.forward(saved.inputs(heads), {o, std::nullopt, saved.log_sum_exp.view()}, rule,
                      offsets);
    saved.output = std::make_shared<const Tensor<T, N>>(std::move(output));
    return OutputAndSaved{saved.output, std::move(saved)};
  }

  /// Keys and values of 16 bits beside a variable.
  template <class Q, class T, class V, int N, class... Learned>
    requires StoredNumber<T>
  Saved<float, N> forward(const Recording&, const Q&, const Input<T, N>&, const V&,
                          const Learned&...) const {
    static_assert(std::is_floating_point_v<T>,
                  "gradients need keys and values in float or double: cast them before");
  }

  /// dQ, dK and dV. `inputs` are query, key, value, and the variables of a rule, whose gradients
  /// are accumulated with those of the inputs.
  template <class T, int N, class... I>
  void backward(const Tensor<T, N>& d_output, const Saved<T, N>& saved, const I&... inputs) const {
    const auto all = std::tie(inputs...);
    const Input<T, N>& q = std::get<0>(all);
    const Input<T, N>& k = std::get<1>(all);
    const Input<T, N>& v = std::get<2>(all);
    auto d_query = Tensor<T, N>::for_overwrite(q.shape());
    auto d_key = Tensor<T, N>::for_overwrite(k.shape());
    auto d_value = Tensor<T, N>::for_overwrite(v.shape());
    saved.attention.backward(
        saved.inputs(heads),
        {heads.query(saved.output->view()), saved.log_sum_exp, heads.query(d_output.view())},
        saved.rule,
        {heads.query(d_query.view()), heads.key(d_key.view()), heads.key(d_value.view())},
        saved.offsets);
    q.add(std::move(d_query));
    k.add(std::move(d_key));
    v.add(std::move(d_value));
  }
};

/// The variables of a rule, which attention under it is recorded for.
template <Rule R>
auto variables_of(const R& rule) {
  if constexpr (requires { rule.variable(); }) return std::tuple(rule.variable());
  else return std::tuple();
}
template <Rule... R>
auto variables_of(const Combined<R...>& rule) {
  return std::apply([](const auto&... one) { return std::tuple_cat(variables_of(one)...); },
                    rule.rules);
}

template <Rule R>
auto variables_of(const Packed<R>& packed) {
  return variables_of(packed.rule);
}

/// Whether a rule computes attention itself.
template <class R, class Operation, class Q, class K, class V>
concept Attends = requires(const R& rule, const Operation& of, const Q& q, const K& k, const V& v) {
  rule.attend(of.attention, of.heads, q, k, v);
};

/// Attention of tensors, or of variables, which record it.
template <class Operation, class Q, class K, class V>
auto attend(const Operation& operation, const Q& query, const K& key, const V& value) {
  using R = std::remove_cvref_t<decltype(operation.rule)>;
  if constexpr (Attends<R, Operation, Q, K, V>)
    return operation.rule.attend(operation.attention, operation.heads, query, key, value);
  else
    return std::apply(
        [&](const auto&... variables) { return apply(operation, query, key, value, variables...); },
        variables_of(operation.rule));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
