#pragma once

#include <attn/attention/learn.hpp>
#include <attn/attention/operand.hpp>
#include <attn/attention/operation.hpp>
#include <attn/attention/reference.hpp>
#include <attn/attention/tiled.hpp>
#include <attn/rules/rules.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct AttentionOptions {
  /// Factor of the scores; by default 1/√E.
  std::optional<double> scale = std::nullopt;
  /// Where query 0 stands for a rule that does not say so itself (see Align); a rule's own word
  /// goes before it. A rule without an `align` member takes Align::upper_left where nobody names
  /// one.
  std::optional<Align> align = std::nullopt;
  /// Probability that a weight is dropped, P ∘ M in the place of P, where variables are recorded on
  /// a tape that has a Random.
  double dropout = 0;
};

template <class Output, class Weights>
struct WithWeights {
  Output output;
  Weights weights;
};
template <class Output, class Weights>
WithWeights(Output, Weights) -> WithWeights<Output, Weights>;

template <class Output, class LogSumExp>
struct WithLogSumExp {
  Output output;
  LogSumExp log_sum_exp;
};
template <class Output, class LogSumExp>
WithLogSumExp(Output, LogSumExp) -> WithLogSumExp<Output, LogSumExp>;

/// Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V   [Vaswani17 Eq.1]
///
///   attn::ScaledDotProductAttention{}(query, key, value, rule)
///
/// query (B, H, L, E), key (B, G, S, E), value (B, G, S, Ev), H a multiple of G, give (B, H, L,
/// Ev). Tensors, views, with leading axes left out too, and Eigen matrices and expressions (one
/// head) are taken, and the query's kind comes back. A rule (rules/rule.hpp) says what may be
/// attended to and how scores change.
/// Semantics: a query that may attend to nothing gives 0, weights 0 and log-sum-exp −inf; what
/// masked keys and values hold changes no bit; S = 0 gives 0, E = 0 the mean of the values.
/// Errors: ShapeError naming the argument that does not fit; OptionError for a scale that is not
/// finite; what the rule throws.
template <class Kernel = Tiled>
class ScaledDotProductAttention {
 public:
  AttentionOptions options;
  [[no_unique_address]] Kernel kernel;

  explicit ScaledDotProductAttention(AttentionOptions the_options = {}, Kernel the_kernel = {})
      : options(the_options), kernel(the_kernel) {}

  /// Operands may be variables: the call is then recorded on their tape.
  template <class Q, class K, class V, Rule R = NoMask>
  auto operator()(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    return detail::attend(*this, detail::SeparateHeads{}, rule, std::tie(query, key, value));
  }

  /// Writes where the caller says, without another copy where that is row-major. `output` must not
  /// overlap the operands. It may be HeadsOutput, for what is to be gone back over.
  template <class O, class Q, class K, class V, Rule R = NoMask>
  void into(O&& output, const Q& query, const K& key, const V& value, const R& rule = {}) const {
    Call<Q, K, V> call(*this, query, key, value);
    const Shape<4> shape = call.heads.output_shape();
    if constexpr (requires { output.log_sum_exp; }) {
      if (output.log_sum_exp.shape() != call.heads.log_sum_exp_shape())
        throw ShapeError(
            "ScaledDotProductAttention: log_sum_exp " + to_string(output.log_sum_exp.shape()) +
            " must have the shape (B, H, L) = " + to_string(call.heads.log_sum_exp_shape()));
      call.heads.mask = output.mask;
      write_to(output.output, shape,
               [&](const auto& to) { call.run(rule, to, nullptr, &output.log_sum_exp); });
    } else {
      write_to(output, shape, [&](const auto& to) { call.run(rule, to); });
    }
  }

  /// `.output`, to the bit as without, and `.weights`: P = softmax(Q Kᵀ / √d_k), (B, H, L, S).
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    const Call<Q, K, V> call(*this, query, key, value);
    using T = typename Operand<Q>::Scalar;
    auto output = Tensor<T, 4>::for_overwrite(call.heads.output_shape()),
         weights = Tensor<T, 4>::for_overwrite(call.heads.weights_shape());
    const TensorView<T, 4> to = weights.view();
    call.run(rule, output.view(), &to);
    return WithWeights{Operand<Q>::finish(std::move(output)),
                       Operand<Q>::finish(std::move(weights))};
  }

  /// `.output`, and `.log_sum_exp` (B, H, L): log Σ_j exp of the scores of each query.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_log_sum_exp(const Q& query, const K& key, const V& value, const R& rule = {}) const {
    const Call<Q, K, V> call(*this, query, key, value);
    using T = typename Operand<Q>::Scalar;
    auto output = Tensor<T, 4>::for_overwrite(call.heads.output_shape());
    auto log_sum_exp = Tensor<T, 3>::for_overwrite(call.heads.log_sum_exp_shape());
    const TensorView<T, 3> to = log_sum_exp.view();
    call.run(rule, output.view(), nullptr, &to);
    return WithLogSumExp{Operand<Q>::finish(std::move(output)),
                         Operand<Q>::finish(std::move(log_sum_exp))};
  }

  /// dQ, dK and dV of query, key and value, all as (B, H, L, E), from dO and what forward
  /// gave   [FA2 Alg.2]
  ///   D = Σ dO ∘ O   P = e^(S − log-sum-exp)   dV = Pᵀ dO   dS = P ∘ (dO Vᵀ − D) ∘ rule′(S)   dQ =
  ///   scale · dS K   dK = scale · dSᵀ Q
  /// Rows that attend to nothing get 0, and so does what is masked.
  template <class T, Rule R>
  void backward(const TensorView<const T, 4>& query, const TensorView<const T, 4>& key,
                const TensorView<const T, 4>& value, const R& rule,
                const HeadsGradient<T>& gradient) const {
    Call<TensorView<const T, 4>, TensorView<const T, 4>, TensorView<const T, 4>> call(*this, query,
                                                                                      key, value);
    call.heads.check(gradient);
    call.heads.mask = gradient.mask;
    const Bound<R> bound(rule, call.heads.scores(), options.align);
    call.heads.backward(kernel, bound, gradient);
    if constexpr (Bound<R>::learns) learn(call.heads, bound, gradient);
  }

 private:
  friend struct detail::SeparateHeads;
  template <class Q, class K, class V, Rule R>
  auto compute(const Q& query, const K& key, const V& value, const R& rule) const {
    const Call<Q, K, V> call(*this, query, key, value);
    auto output = Tensor<typename Operand<Q>::Scalar, 4>::for_overwrite(call.heads.output_shape());
    call.run(rule, output.view());
    return Operand<Q>::finish(std::move(output));
  }

  /// The operands of one call, as heads that fit each other.
  template <class Q, class K, class V>
  struct Call {
    using T = typename Operand<Q>::Scalar;
    static_assert(std::is_floating_point_v<T>, "attention is computed in float or double");
    static_assert(std::is_same_v<T, typename Operand<K>::Scalar> &&
                      std::is_same_v<T, typename Operand<V>::Scalar>,
                  "query, key and value must hold the same kind of number");

    const ScaledDotProductAttention& attention;
    Operand<Q> query;
    Operand<K> key;
    Operand<V> value;
    Heads<T> heads;

    Call(const ScaledDotProductAttention& a, const Q& q, const K& k, const V& v)
        : attention(a),
          query(q),
          key(k),
          value(v),
          heads{query.heads(), key.heads(), value.heads(), T(1)} {
      heads.check();
      heads.scale =
          static_cast<T>(a.options.scale.value_or(a.default_scale(heads.query.shape()[3])));
      detail::expect_probability(a.options.dropout, "ScaledDotProductAttention");
      if (!std::isfinite(heads.scale))
        throw OptionError("ScaledDotProductAttention: scale = " + std::to_string(*a.options.scale) +
                          " must be finite");
    }
    template <Rule R>
    void run(const R& rule, const TensorView<T, 4>& output,
             const TensorView<T, 4>* weights = nullptr,
             const TensorView<T, 3>* log_sum_exp = nullptr) const {
      heads.run(attention.kernel, Bound<R>(rule, heads.scores(), attention.options.align), output,
                weights, log_sum_exp);
    }
  };

  /// 1/√E; where E = 0 every score is an empty sum, and 1 keeps it 0.
  static double default_scale(Index E) { return E > 0 ? 1 / std::sqrt(static_cast<double>(E)) : 1; }
};

}  // namespace ATTN_ABI
}  // namespace attn
