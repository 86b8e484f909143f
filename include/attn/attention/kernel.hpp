#pragma once

#include <attn/attention/key_rows.hpp>
#include <attn/attention/weight_dropout.hpp>
#include <attn/rules/bound_rule.hpp>
#include <attn/rules/no_mask.hpp>
#include <limits>
#include <optional>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// The sizes of a head that a kernel plans by: E, Ev and S, and how many elements of each key and
/// value are to be unpacked.
struct HeadSizes {
  Index head_dim, value_dim, keys;
  Index unpacked = 0;
};

/// How a kernel wants its work to be divided.
struct KernelPlan {
  Index queries;                  ///< of one forward task, at most
  Index workspace_size;           ///< elements of memory for one forward task
  Index backward_workspace_size;  ///< the same for one backward task
  Index segment;  ///< keys whose part of dQ a backward task sums by itself, before it is added
  Index tile_keys = 0;  ///< keys of a tile of a DivisibleKernel
};

/// One task of a kernel: some queries of one head against some of its keys. Q (Br×E) holds the
/// head's rows from `row` on, K is S×E and V S×Ev; `keys` are those that count, and rules and
/// dropout are asked in rows and keys of the head. Where query heads share keys, and the rule is
/// the same for all of them, a task may have the rows of all heads of a group, one after the other.
template <class T, class Keys = StridedRows<T>, class Values = StridedRows<T>>
struct HeadTask {
  using Scalar = T;
  using KeyRows = Keys;
  using ValueRows = Values;
  typename TensorView<const T, 2>::MatrixMap Q;
  Keys K;
  Values V;
  T scale;
  Index batch, head, row;
  Range keys;
  std::optional<WeightDropout<T>> dropout;
  std::span<const T> sinks = {};  ///< logits that join the sums: one for each query, or for all

  /// The rectangle of some rows of Q and some keys.
  Tile tile(Range queries, Range some_keys) const {
    return {batch, head, row + queries.begin, row + queries.end, some_keys.begin, some_keys.end};
  }
  /// The place of row i of Q and key j.
  Position at(Index i, Index j) const { return {batch, head, row + i, j}; }
  /// The logit that joins the sum of row i of Q after all keys; −∞ without a sink.
  T sink(Index i) const {
    if (sinks.empty()) return -std::numeric_limits<T>::infinity();
    return sinks.size() == 1 ? sinks.front() : sinks[static_cast<std::size_t>(i)];
  }
};

/// What a forward task overwrites: O (Br×Ev), and where they are asked for the weights P (Br×S, of
/// which it writes the columns of its keys) and the log-sum-exp of the scores of each query.
template <class T>
struct HeadOutputs {
  TensorView<T, 2> output;
  std::optional<TensorView<T, 2>> weights;
  std::optional<TensorView<T, 1>> log_sum_exp;
};

/// What a backward task reads besides the task itself: O (Br×Ev) and the log-sum-exps of its
/// queries, over all keys, and the gradient dO of the loss.
template <class T>
struct HeadResults {
  typename TensorView<const T, 2>::MatrixMap O, dO;
  TensorView<const T, 1> log_sum_exp;
};

/// What a backward task adds to: dQ (Br×E), and the rows of dK and dV of its keys.
template <class T>
struct HeadGradients {
  TensorView<T, 2> query, key, value;
};
/// The same, where dQ alone is asked for, or dK and dV.
template <class T>
struct QueryGradient {
  TensorView<T, 2> query;
};
template <class T>
struct KeyGradients {
  TensorView<T, 2> key, value;
};

/// A kernel computes attention for one task at a time; AttentionCall divides a call into tasks. It
/// knows nothing of batches, groups and threads. Tiled and Reference are kernels, and a user's own
/// struct may be one: `ScaledDotProductAttention<Mine>{}`. It has
///
///   template <class T> KernelPlan plan(const HeadSizes&) const;
///   void forward(task, rule, outputs, workspace) const;
///       O = softmax(rule(scale · Q Kᵀ)) V over the task's keys. It writes every element of the
///       outputs: 0 and −∞ where a query attends to nothing.
///   void backward(task, rule, results, gradients, workspace) const;
///       With P = e^(S − log-sum-exp) adds what the task's keys give: to all rows of dQ, and to
///       dK and dV, whose first row is that of the task's first key.
///
/// and, if it lets sinks (see Sink) join the sums,
///
///   static constexpr bool adds_sinks = true;
///       Forward computes O = P V with P = e^(S − x), x = log(e^task.sink(i) + Σ e^S), and gives x
///       as the log-sum-exp. Backward gets this x and does not need the sink.
///
/// `task` is a HeadTask, `rule` a BoundRule, which says for each score whether it is allowed and
/// what it becomes (for a Dual also its derivative); `workspace` is memory of the planned size, at
/// a 64-byte boundary, whose content means nothing. Task, rule and views are templates for the
/// kernel: the number type, the rows of keys and values, and the rule are types.
/// Numerics: what a masked key or value holds must not change a result, so it must not be computed
/// with. What a query gets must not depend on how the queries are divided into tasks.
template <class K, class T>
concept AttentionKernel = requires(
    const K& kernel, const HeadTask<T>& task, const BoundRule<NoMask>& rule, HeadOutputs<T> outputs,
    const HeadResults<T>& results, HeadGradients<T> gradients, T* workspace) {
  { kernel.template plan<T>(HeadSizes{}) } -> std::same_as<KernelPlan>;
  kernel.forward(task, rule, outputs, workspace);
  kernel.backward(task, rule, results, gradients, workspace);
};

/// A kernel that lets the sinks of a task join the sums of its queries.
template <class K>
concept AddsSinks = requires { requires K::adds_sinks; };

/// A kernel whose work can be divided between keys as well: where there are few queries for the
/// threads, or where not all keys are in memory. It keeps a state for the queries of a task.
///
///   Index state_size(task) const;
///       The elements of a state.
///   void begin_state(task, state) const;
///       The state of no keys.
///   void forward_state(task, rule, state, workspace) const;
///       Adds the task's keys, without a sink, to a state: a part of all keys, which begins with a
///       tile, of `plan.tile_keys` keys. Parts are added in the order of their keys.
///   void merge_states(task, states, outputs, workspace) const;
///       Writes what forward writes, except for the weights, from states that lie one after the
///       other, each of one tile, or from one state of all keys. The result is bitwise that of
///       forward.
///   void backward(task, rule, results, QueryGradient, workspace) const;
///   void backward(task, rule, results, KeyGradients, workspace) const;
///       A part of backward: with `plan.segment` keys at least, or with `plan.queries` queries at
///       least, the sums over parts in order are bitwise those of backward.
template <class K, class T>
concept DivisibleKernel =
    AttentionKernel<K, T> &&
    requires(const K& kernel, const HeadTask<T>& task, const BoundRule<NoMask>& rule,
             HeadOutputs<T> outputs, const HeadResults<T>& results, T* memory) {
      { kernel.state_size(task) } -> std::same_as<Index>;
      kernel.begin_state(task, memory);
      kernel.forward_state(task, rule, memory, memory);
      kernel.merge_states(task, std::span<const T>(), outputs, memory);
      kernel.backward(task, rule, results, std::declval<QueryGradient<T>>(), memory);
      kernel.backward(task, rule, results, std::declval<KeyGradients<T>>(), memory);
    };

}  // namespace ATTN_ABI
}  // namespace attn
