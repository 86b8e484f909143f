#pragma once

#include <algorithm>
#include <attn/attention/grouped_call.hpp>
#include <attn/attention/rule_gradients.hpp>
#include <attn/rules/packed.hpp>
#include <numeric>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Some rows of operands: of each head those of one sequence.
template <class T, int N>
TensorView<T, N> packed_rows(const TensorView<T, N>& x, Range range) {
  return x.slice(2, range.begin, range.end);
}
template <class Heads>
Heads packed_rows(const Heads& heads, Range range) {
  static_assert(
      requires { heads.part(range); },
      "keys and values of packed sequences need part(range): see KeyHeads");
  return heads.part(range);
}

/// A call of attention for sequences that lie side by side: each is a call of its own, and the
/// tasks of all of them are run together, those of the longest sequences first.
template <class Call, Rule R>
class PackedCall {
  using T = typename Call::Scalar;

 public:
  /// `all` is the call with the rows of all sequences.
  PackedCall(const Call& all, const BoundRule<Packed<R>>& rule) : all_(all), rule_(rule) {}

  /// Few tasks are run one sequence after the other, as the keys of each may then be divided.
  template <class Kernel>
  void forward(const Kernel& kernel, const AttentionOutputs<T>& outputs) const {
    if (outputs.weights) set_zero(*outputs.weights);
    std::vector<ForwardPart> parts;
    Index tasks = 0, workspace_size = 0;
    for (const Index n : longest_first()) {
      ForwardPart part{{kernel, sequence(n), rule_.sequence(n), outputs_of(outputs, n)}};
      part.plan = kernel.template plan<T>(part.of.call.sizes());
      part.first_task = tasks;
      tasks += part.of.call.forward_tasks(part.plan.queries);
      workspace_size = std::max(workspace_size, part.plan.workspace_size);
      parts.push_back(std::move(part));
    }
    if (tasks < 4 * num_threads()) {
      for (const ForwardPart& part : parts)
        part.of.call.forward(kernel, part.of.rule, part.of.outputs);
    } else {
      parallel_for<T>(tasks, workspace_size, [&](Index task, T* workspace) {
        const auto begins_later = [](Index number, const ForwardPart& part) {
          return number < part.first_task;
        };
        const ForwardPart& part =
            *std::prev(std::upper_bound(parts.begin(), parts.end(), task, begins_later));
        part.of.call.forward_task(kernel, part.of.rule, part.of.outputs,
                                  {task - part.first_task, part.plan.queries, workspace});
      });
    }
  }

  /// A sequence whose keys are divided is run by itself.
  template <class Kernel>
  void backward(const Kernel& kernel, const BackwardInputs<T>& given,
                const InputGradients<T>& gradients) const {
    std::vector<BackwardPart> parts;
    Index workspace_size = 0;
    for (const Index n : longest_first()) {
      const BackwardPart part{sequence(n), rule_.sequence(n), given_of(given, n),
                              gradients_of(gradients, n)};
      const KernelPlan plan = kernel.template plan<T>(part.call.sizes());
      if (part.call.scores_are_empty() || part.call.divides_keys_of_backward(plan)) {
        part.call.backward(kernel, part.rule, part.given, part.gradients);
      } else {
        workspace_size = std::max(workspace_size, plan.backward_workspace_size);
        parts.push_back(part);
      }
    }
    const Index G = all_.key_heads();
    parallel_for<T>(std::ssize(parts) * G, workspace_size, [&](Index task, T* workspace) {
      const BackwardPart& part = parts[static_cast<std::size_t>(task / G)];
      part.call.backward_of_group(kernel, part.rule, part.given, part.gradients,
                                  {task % G, {0, part.call.sizes().keys}, workspace});
    });
    for (Index n = 0; n < packed().count(); ++n)
      add_rule_gradients(sequence(n), rule_.sequence(n), given_of(given, n));
  }

 private:
  /// A sequence, and the first of all tasks that is one of its own.
  struct ForwardPart {
    GroupedCall<Call, R> of;
    KernelPlan plan = {};
    Index first_task = 0;
  };
  struct BackwardPart {
    Call call;
    BoundRule<R> rule;
    BackwardInputs<T> given;
    InputGradients<T> gradients;
  };

  std::vector<Index> longest_first() const {
    std::vector<Index> order(static_cast<std::size_t>(packed().count()));
    std::iota(order.begin(), order.end(), Index{0});
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
      const Index keys_of_a = packed().keys(a).size(), keys_of_b = packed().keys(b).size();
      return keys_of_a != keys_of_b ? keys_of_a > keys_of_b : a < b;
    });
    return order;
  }

  const Packed<R>& packed() const { return rule_.packed(); }
  Call sequence(Index n) const {
    Call call = all_;
    call.inputs.query = packed_rows(all_.inputs.query, packed().queries(n));
    call.inputs.key = packed_rows(all_.inputs.key, packed().keys(n));
    call.inputs.value = packed_rows(all_.inputs.value, packed().keys(n));
    call.first_batch = n;
    return call;
  }
  AttentionOutputs<T> outputs_of(const AttentionOutputs<T>& all, Index n) const {
    const Range queries = packed().queries(n), keys = packed().keys(n);
    AttentionOutputs<T> some{packed_rows(all.output, queries)};
    if (all.weights)
      some.weights = packed_rows(*all.weights, queries).slice(3, keys.begin, keys.end);
    if (all.log_sum_exp) some.log_sum_exp = packed_rows(*all.log_sum_exp, queries);
    return some;
  }
  BackwardInputs<T> given_of(const BackwardInputs<T>& all, Index n) const {
    const Range queries = packed().queries(n);
    return {packed_rows(all.output, queries), packed_rows(all.log_sum_exp, queries),
            packed_rows(all.d_output, queries)};
  }
  InputGradients<T> gradients_of(const InputGradients<T>& all, Index n) const {
    const Range keys = packed().keys(n);
    return {packed_rows(all.query, packed().queries(n)), packed_rows(all.key, keys),
            packed_rows(all.value, keys)};
  }

  static void set_zero(const TensorView<T, 4>& weights) {
    for (Index h = 0; h < weights.shape()[1]; ++h) weights.matrix(0, h).setZero();
  }

  const Call& all_;
  const BoundRule<Packed<R>>& rule_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
