#pragma once

#include <attn/attention/key_rows.hpp>
#include <attn/attention/weight_dropout.hpp>
#include <attn/rules/bound_rule.hpp>
#include <attn/rules/no_mask.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The sizes of a head that a kernel plans by: E, Ev and S.
struct HeadSizes {
  Index head_dim, value_dim, keys;
};

/// How a kernel wants its work to be divided.
struct KernelPlan {
  Index queries;                  ///< of one forward task, at most
  Index workspace_size;           ///< elements of memory for one forward task
  Index backward_workspace_size;  ///< the same for one backward task
  Index segment;  ///< keys whose part of dQ a backward task sums by itself, before it is added
};

/// One task of a kernel: some queries of one head against some of its keys. Q (Br×E) holds the
/// head's rows from `row` on, K is S×E and V S×Ev; `keys` are those that count, and rules and
/// dropout are asked in rows and keys of the head.
template <class T, class Keys = StridedRows<T>, class Values = StridedRows<T>>
struct HeadTask {
  using Scalar = T;
  typename TensorView<const T, 2>::MatrixMap Q;
  Keys K;
  Values V;
  T scale;
  Index batch, head, row;
  Range keys;
  std::optional<WeightDropout<T>> dropout;

  /// The rectangle of some rows of Q and some keys.
  Tile tile(Range queries, Range some_keys) const {
    return {batch, head, row + queries.begin, row + queries.end, some_keys.begin, some_keys.end};
  }
  /// The place of row i of Q and key j.
  Position at(Index i, Index j) const { return {batch, head, row + i, j}; }
  /// The places of a vector of rows from i on.
  Positions<T> vector_at(Index i, Index j) const { return {batch, head, {row + i}, j}; }
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

/// What a backward task adds to: dQ (Br×E), dK (S×E) and dV (S×Ev).
template <class T>
struct HeadGradients {
  TensorView<T, 2> query, key, value;
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
///       With P = e^(S − log-sum-exp) adds what the task's keys give: to all rows of dQ, and to the
///       rows of dK and dV of these keys.
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

}  // namespace ATTN_ABI
}  // namespace attn
