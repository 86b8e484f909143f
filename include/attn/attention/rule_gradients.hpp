#pragma once

#include <attn/attention/attention_call.hpp>
#include <attn/attention/rule_terms.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Σ_e x_e X_je
template <class T, class Rows>
T dot(const T* x, const Rows& X, Index j) {
  const auto X_j = X.tile({j, j + 1});
  T sum = 0;
  for (Index e = 0; e < X.columns();) {
    const auto cursor = X_j.at(0, e);
    for (const Index first = e, end = e + X_j.run(e, X.columns() - e); e < end; ++e)
      sum += x[e] * X_j.load(cursor, e - first);
  }
  return sum;
}

/// dS · ∂rule/∂parameter of row i of a task, dS = P ∘ (dP − D), summed over the scores of each
/// parameter.
template <class Task, class R, class T = typename Task::Scalar>
RuleTerms<T> terms_of_row(const Task& task, const R& rule, const HeadResults<T>& results, Index i,
                          RowOfRuleTerms<T>& row) {
  const T *const q = task.Q.data() + i * task.Q.outerStride(), *const d_output =
                                                                   results.dO.data() +
                                                                   i * results.dO.outerStride();
  const T D = results.dO.row(i).dot(results.O.row(i)), log_sum_exp = results.log_sum_exp(i);
  for (Index j = task.keys.begin; j < task.keys.end; ++j) {
    const Position at = task.at(i, j);
    if (!rule.allows(at)) continue;
    const T s = task.scale * dot(q, task.K, j), changed = rule.score(s, at);
    if (changed == -std::numeric_limits<T>::infinity()) continue;
    T dP = dot(d_output, task.V, j);
    if (task.dropout) dP *= (*task.dropout)(at);
    const T dS = std::exp(changed - log_sum_exp) * (dP - D);
    rule.differentiate(s, at,
                       [&, n = std::size_t{0}](const auto& one, Position where, T slope) mutable {
                         row.add(n++, one.parameter(where), dS * slope);
                       });
  }
  return row.take();
}
/// The same of all rows of a task, which are added in order.
template <class Task, class R, class T = typename Task::Scalar>
RuleTerms<T> terms_of_rows(const Task& task, const R& rule, const HeadResults<T>& results,
                           const RuleParameters<T>& parameters) {
  RowOfRuleTerms<T> row(parameters);
  RuleTerms<T> sum;
  for (Index i = 0; i < task.Q.rows(); ++i)
    add_terms(sum, terms_of_row(task, rule, results, i, row));
  return sum;
}

/// How many rows of a head's scores are summed as one part. Parts begin at multiples of it, so that
/// the sum over all scores does not depend on how rows are divided between threads, or processes.
inline constexpr Index rule_part_rows = 16;

/// Adds the gradients of what changes scores: Σ dS · ∂rule/∂parameter over the scores that a
/// parameter changes. Scores are computed again; parts of some rows are summed in parallel, and
/// added in order. Any parameter may belong to any scores.
/// Cost: about that of Reference, L·S·(E + Ev) without register blocks; memory for the terms of 16
/// parts, one of each parameter that a part's scores have.
template <class Call, Rule R, class T>
void add_score_gradients(const Call& call, const BoundRule<R>& rule,
                         const BackwardInputs<T>& given) {
  const ScoreShape scores = call.scores();
  if (scores.batch * scores.heads * scores.queries * scores.keys == 0) return;
  const RuleParameters<T> parameters(rule);
  if (parameters.size() == 0) return;
  call.template for_each_part_in_order<RuleTerms<T>>(
      given, rule_part_rows,
      [&](const auto& task, const HeadResults<T>& results, RuleTerms<T>& found) {
        found = terms_of_rows(task, rule, results, parameters);
      },
      [&](const RuleTerms<T>& found) { parameters.add(found); });
}

/// D = Σ dO ∘ O of every query, (B, H, L).
template <class T>
Tensor<T, 3> output_dots(const BackwardInputs<T>& given) {
  const auto [B, H, L, Ev] = given.output.shape();
  auto D = Tensor<T, 3>::for_overwrite({B, H, L});
  const Index heads = H, rows = L;
  parallel_for(B * H, [&](Index n) {
    const auto O = given.output.matrix(n / heads, n % heads),
               dO = given.d_output.matrix(n / heads, n % heads);
    for (Index i = 0; i < rows; ++i) D.data()[n * rows + i] = dO.row(i).dot(O.row(i));
  });
  return D;
}

/// The gradient of the logit z of head h's sink: −Σ e^(z − x) D over its queries, with their
/// log-sum-exp x.
template <class T>
T sink_gradient(const TensorView<const T, 3>& log_sum_exp, const TensorView<const T, 3>& D, Index h,
                T logit) {
  T sum = 0;
  for (Index b = 0; b < D.shape()[0]; ++b)
    for (Index i = 0; i < D.shape()[2]; ++i)
      sum -= std::exp(logit - log_sum_exp(b, h, i)) * D(b, h, i);
  return sum;
}

/// Adds the gradients of a rule's sinks, from the log-sum-exp and D (B, H, L) of all queries. Heads
/// are summed in parallel, and added in order.
template <Rule R, class T>
void add_sink_gradients(const BoundRule<R>& rule, const TensorView<const T, 3>& log_sum_exp,
                        const TensorView<const T, 3>& D) {
  std::vector<T> sums(static_cast<std::size_t>(D.shape()[1]));
  const auto add = [&](const auto& sink, std::span<T> gradient) {
    if (gradient.empty()) return;
    parallel_for(std::ssize(sums), [&](Index h) {
      sums[static_cast<std::size_t>(h)] =
          sink_gradient(log_sum_exp, D, h, static_cast<T>(sink.sink(h)));
    });
    for (std::size_t h = 0; h < sums.size(); ++h) gradient[gradient.size() == 1 ? 0 : h] += sums[h];
  };
  rule.visit([&](const auto& one) {
    if constexpr (LearnsSink<std::remove_cvref_t<decltype(one)>>) add(one, one.gradient());
  });
}

/// Adds the gradients of a rule's parameters.
template <class Call, Rule R, class T>
void add_rule_gradients(const Call& call, const BoundRule<R>& rule,
                        const BackwardInputs<T>& given) {
  if constexpr (BoundRule<R>::has_parameters) add_score_gradients(call, rule, given);
  if constexpr (BoundRule<R>::learns_sink) {
    const Tensor<T, 3> D = output_dots(given);
    add_sink_gradients(rule, given.log_sum_exp, D.view());
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
