#pragma once

#include <attn/attention/operand.hpp>
#include <attn/attention/operation.hpp>
#include <attn/attention/packed_call.hpp>
#include <attn/attention/partial.hpp>
#include <attn/attention/reference.hpp>
#include <attn/attention/tiled.hpp>
#include <attn/core/option.hpp>
#include <attn/rules/rules.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct AttentionOptions {
  /// Factor of the scores; by default 1/√E.
  std::optional<double> scale = std::nullopt;
  /// Where query 0 stands for a rule that does not say so itself (see Align); a rule's own
  /// alignment precedes it. A rule without an `align` member takes Align::upper_left where nobody
  /// names one.
  std::optional<Align> align = std::nullopt;
  /// Probability, 0 to 1, that a weight is dropped, P ∘ M in the place of P, where variables are
  /// recorded on a tape that has a Random.
  double dropout = 0;

  /// The factor of the scores of heads of this dimension. Where E = 0 every score is an empty sum,
  /// and 1 keeps it 0.
  double scale_for(Index E) const {
    return scale.value_or(E > 0 ? 1 / std::sqrt(static_cast<double>(E)) : 1);
  }
  /// Errors: OptionError for a scale that is not finite or a dropout that is no probability.
  void check(const char* who, Index E) const {
    const double factor = scale_for(E);
    expect_option(std::isfinite(factor), who, "scale", factor, "finite");
    expect_option(dropout >= 0 && dropout <= 1, who, "dropout", dropout,
                  "at least 0 and at most 1");
  }
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
/// query (B, H, L, E), key (B, G, S, E), value (B, G, S, Ev), H a multiple of G, give
/// (B, H, L, Ev). It takes tensors, views, both with leading axes left out too, and Eigen matrices
/// and expressions (one head), and returns the query's kind. Keys and values may be stored in fewer
/// bits, as tensors of bfloat16 or float16, or quantized: the result is bitwise that of the numbers
/// that they stand for. A rule (rules/rule.hpp) says what may be attended to and how scores change;
/// Offsets say where queries and keys stand, if they are a part of all. Under Packed, sequences of
/// different lengths lie side by side in a batch of 1.
/// Semantics: a query that may attend to nothing gives 0, weights 0 and log-sum-exp −∞; results are
/// bitwise the same whatever masked keys and values hold; S = 0 gives 0, E = 0 the mean of the
/// values.
/// Errors: ShapeError naming the argument that does not fit; OptionError for a scale that is not
/// finite or a dropout that is no probability; what the rule throws.
template <class Kernel = Tiled>
class ScaledDotProductAttention {
 public:
  AttentionOptions options;
  [[no_unique_address]] Kernel kernel;

  explicit ScaledDotProductAttention(AttentionOptions the_options = {}, Kernel the_kernel = {})
      : options(the_options), kernel(the_kernel) {}

  /// Operands may be variables, of 4, 3 or 2 axes: the call is then recorded on their tape.
  template <class Q, class K, class V, Rule R = NoMask>
  auto operator()(const Q& query, const K& key, const V& value, const R& rule = {},
                  const std::optional<Offsets>& offsets = {}) const {
    using Operation =
        detail::AttentionOperation<ScaledDotProductAttention, R, detail::SeparateHeads>;
    return detail::attend(Operation{*this, rule, offsets, {}}, query, key, value);
  }

  /// Writes to the caller's memory, without another copy where that is row-major.
  /// Errors: ShapeError too if `output` overlaps an operand in memory.
  template <class O, class Q, class K, class V, Rule R = NoMask>
    requires Operands<Q, K, V>
  void into(O&& output, const Q& query, const K& key, const V& value, const R& rule = {}) const {
    const Arguments<Q, K, V> arguments(*this, query, key, value);
    detail::write_to(output, arguments.call.output_shape(), [&](const auto& view) {
      arguments.call.check_outputs({view});
      run(arguments.call, rule, std::nullopt, {view});
    });
  }

  /// `.output`, bitwise as without, and `.weights`: P = softmax(Q Kᵀ / √d_k), (B, H, L, S).
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_weights(const Q& query, const K& key, const V& value, const R& rule = {},
                    const std::optional<Offsets>& offsets = {}) const {
    using T = typename Operand<Q>::Scalar;
    const Arguments<Q, K, V> arguments(*this, query, key, value);
    auto output = Tensor<T, 4>::for_overwrite(arguments.call.output_shape()),
         weights = Tensor<T, 4>::for_overwrite(arguments.call.weights_shape());
    run(arguments.call, rule, offsets, {output, weights.view()});
    return WithWeights{Operand<Q>::finish(std::move(output)),
                       Operand<Q>::finish(std::move(weights))};
  }

  /// `.output`, and `.log_sum_exp` (B, H, L): log Σ_j exp of the scores of each query, and of its
  /// sinks.
  template <class Q, class K, class V, Rule R = NoMask>
  auto with_log_sum_exp(const Q& query, const K& key, const V& value, const R& rule = {},
                        const std::optional<Offsets>& offsets = {}) const {
    using T = typename Operand<Q>::Scalar;
    const Arguments<Q, K, V> arguments(*this, query, key, value);
    auto output = Tensor<T, 4>::for_overwrite(arguments.call.output_shape());
    auto log_sum_exp = Tensor<T, 3>::for_overwrite(arguments.call.log_sum_exp_shape());
    run(arguments.call, rule, offsets, {output, std::nullopt, log_sum_exp.view()});
    return WithLogSumExp{Operand<Q>::finish(std::move(output)),
                         Operand<Q>::finish(std::move(log_sum_exp))};
  }

  /// The whole interface, in the caller's memory: any of the outputs, with or without dropout.
  template <class T, class Keys, class Values, Rule R = NoMask>
  void forward(const AttentionInputs<T, Keys, Values>& inputs,
               const std::type_identity_t<AttentionOutputs<T>>& outputs, const R& rule = {},
               const std::optional<Offsets>& offsets = {}) const {
    const auto call = call_of(inputs);
    call.check_outputs(outputs);
    run(call, rule, offsets, outputs);
  }

  /// dQ, dK and dV from dO and what forward gave   [FA2 Alg.2]
  ///   D = Σ dO ∘ O   P = e^(S − log-sum-exp)   dV = Pᵀ dO   dS = P ∘ (dO Vᵀ − D) ∘ rule′(S)
  ///   dQ = scale · dS K   dK = scale · dSᵀ Q
  /// A rule's parameters get their gradients as well. Queries that attend to nothing get 0, and so
  /// does what is masked. Inputs, rule and offsets are those of forward.
  template <class T, class Keys, class Values, Rule R>
  void backward(const AttentionInputs<T, Keys, Values>& inputs,
                const std::type_identity_t<BackwardInputs<T>>& given, const R& rule,
                const std::type_identity_t<InputGradients<T>>& gradients,
                const std::optional<Offsets>& offsets = {}) const {
    static_assert(!std::is_same_v<Keys, StoredHeads<T>> && !std::is_same_v<Values, StoredHeads<T>>,
                  "gradients need keys and values in float or double: cast them before");
    const auto call = call_of(inputs);
    call.check_backward(given, gradients);
    const BoundRule<R> bound(rule, call.scores(), options.align, offsets);
    if constexpr (detail::is_packed<R>) {
      detail::PackedCall(call, bound).backward(kernel, given, gradients);
    } else {
      call.backward(kernel, bound, given, gradients);
      detail::add_rule_gradients(call, bound, given);
    }
  }

 private:
  friend struct detail::SeparateHeads;
  /// Attention of operands that are not recorded.
  template <class Q, class K, class V, Rule R>
  auto compute(const Q& query, const K& key, const V& value, const R& rule,
               const std::optional<Offsets>& offsets) const {
    const Arguments<Q, K, V> arguments(*this, query, key, value);
    auto output =
        Tensor<typename Operand<Q>::Scalar, 4>::for_overwrite(arguments.call.output_shape());
    run(arguments.call, rule, offsets, {output});
    return Operand<Q>::finish(std::move(output));
  }

  template <class T, class Keys, class Values>
  using Call = detail::AttentionCall<T, Keys, Values>;

  /// The operands of a call, which may hold copies of expressions, and the call.
  template <class Q, class K, class V>
  struct Arguments {
    using T = typename Operand<Q>::Scalar;
    static_assert(std::is_floating_point_v<T>, "attention is computed in float or double");
    using KeyOf = KeyOperand<K, T>;
    using ValueOf = KeyOperand<V, T>;
    static_assert(std::is_same_v<T, typename KeyOf::Scalar> &&
                      std::is_same_v<T, typename ValueOf::Scalar>,
                  "query, key and value must hold the same kind of number");

    Operand<Q> query;
    KeyOf key;
    ValueOf value;
    Call<T, typename KeyOf::Heads, typename ValueOf::Heads> call;

    Arguments(const ScaledDotProductAttention& attention, const Q& q, const K& k, const V& v)
        : query(q),
          key(k),
          value(v),
          call(attention.call_of(AttentionInputs<T, typename KeyOf::Heads, typename ValueOf::Heads>{
              query.heads(), key.heads(), value.heads()})) {}
  };

  /// The call of some inputs that fit each other.
  template <class T, class Keys, class Values>
  Call<T, Keys, Values> call_of(const AttentionInputs<T, Keys, Values>& inputs) const {
    Call<T, Keys, Values> call{{inputs}, T(1)};
    call.check_inputs();
    const Index E = call.sizes().head_dim;
    options.check("ScaledDotProductAttention", E);
    const double scale = options.scale_for(E);
    call.scale = static_cast<T>(scale);
    expect_option(std::isfinite(call.scale), "ScaledDotProductAttention", "scale", scale,
                  "finite as a float");
    return call;
  }
  template <class T, class Keys, class Values, Rule R>
  void run(Call<T, Keys, Values> call, const R& rule, const std::optional<Offsets>& offsets,
           const AttentionOutputs<T>& outputs) const {
    const BoundRule<R> bound(rule, call.scores(), options.align, offsets);
    const std::vector<T> sinks = detail::sinks_of<T>(bound, call.heads());
    call.sinks = sinks;
    if constexpr (detail::is_packed<R>) {
      detail::PackedCall(call, bound).forward(kernel, outputs);
    } else {
      const detail::GroupedCall grouped(kernel, call, bound, outputs);
      grouped.call.forward(kernel, grouped.rule, grouped.outputs);
    }
  }
};

static_assert(DivisibleKernel<Tiled, float> && DivisibleKernel<Tiled, double> &&
              AttentionKernel<Reference, float> && AttentionKernel<Reference, double>);

}  // namespace ATTN_ABI
}  // namespace attn
