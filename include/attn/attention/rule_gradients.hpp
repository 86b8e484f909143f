#pragma once

#include <attn/attention/attention_call.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What one score adds to the gradient of a rule's parameter.
template <class T>
struct RuleContribution {
  std::span<T> gradient;
  Index parameter;
  T value;

  /// Errors: ShapeError if the rule has no such parameter.
  void add() const {
    if (gradient.empty()) return;
    if (parameter < 0 || parameter >= std::ssize(gradient))
      throw ShapeError("ScaledDotProductAttention: a rule's parameter " +
                       std::to_string(parameter) + " must be one of the " +
                       std::to_string(gradient.size()) + " of its gradient");
    gradient[static_cast<std::size_t>(parameter)] += value;
  }
};

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

/// dS · ∂rule/∂parameter of row i of a task, dS = P ∘ (dP − D).
template <class Task, class R, class T = typename Task::Scalar>
void find_contributions(const Task& task, const R& rule, const HeadResults<T>& results, Index i,
                        std::vector<RuleContribution<T>>& found) {
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
    rule.differentiate(s, at, [&](const auto& one, Position where, T slope) {
      found.push_back({one.gradient(), one.parameter(where), dS * slope});
    });
  }
}

/// Adds the gradients of what changes scores: Σ dS · ∂rule/∂parameter over the scores that a
/// parameter changes. Scores are computed again, some rows in parallel, and their contributions
/// added one after the other, so that any parameter may belong to any scores, and the sum does not
/// depend on threads.
/// Cost: about that of Reference, L·S·(E + Ev) without register blocks; memory for 64 rows of
/// scores.
template <class Call, Rule R, class T>
void add_score_gradients(const Call& call, const BoundRule<R>& rule,
                         const BackwardInputs<T>& given) {
  const ScoreShape scores = call.scores();
  if (scores.batch * scores.heads * scores.queries * scores.keys == 0) return;
  rule.differentiate(T(0), Position{}, [](const auto& one, Position, T) {
    one.gradient();  // allocates its memory, before threads ask for it
  });
  using Found = std::vector<RuleContribution<T>>;
  call.template for_each_row_in_order<Found>(
      given,
      [&](const auto& task, const HeadResults<T>& results, Found& found) {
        for (Index i = 0; i < task.Q.rows(); ++i) find_contributions(task, rule, results, i, found);
      },
      [](const Found& found) {
        for (const RuleContribution<T>& one : found) one.add();
      });
}

/// The gradient of the logit z of head h's sink: −Σ e^(z − x) D over its queries, with their
/// log-sum-exp x and D = Σ dO ∘ O.
template <class T>
T sink_gradient(const BackwardInputs<T>& given, Index h, T logit) {
  T sum = 0;
  for (Index b = 0; b < given.output.shape()[0]; ++b) {
    const auto O = given.output.matrix(b, h), dO = given.d_output.matrix(b, h);
    for (Index i = 0; i < O.rows(); ++i)
      sum -= std::exp(logit - given.log_sum_exp(b, h, i)) * dO.row(i).dot(O.row(i));
  }
  return sum;
}

/// Adds the gradients of a rule's sinks. Heads are summed in parallel, and added in order.
template <Rule R, class T>
void add_sink_gradients(const BoundRule<R>& rule, const BackwardInputs<T>& given) {
  const Index H = given.output.shape()[1];
  std::vector<T> sums(static_cast<std::size_t>(H));
  const auto add = [&](const auto& sink, std::span<T> gradient) {
    if (gradient.empty()) return;
    parallel_for(H, [&](Index h) {
      sums[static_cast<std::size_t>(h)] = sink_gradient(given, h, static_cast<T>(sink.sink(h)));
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
  if constexpr (BoundRule<R>::has_sink) add_sink_gradients(rule, given);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
