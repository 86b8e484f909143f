#pragma once

#include <attn/attention/weight_dropout.hpp>
#include <attn/core/tensor_view.hpp>
#include <attn/gemm/finite.hpp>
#include <attn/gemm/register_block.hpp>
#include <attn/rules/bound_rule.hpp>
#include <attn/rules/no_mask.hpp>
#include <cmath>
#include <optional>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// Keys or values of one head: where their rows lie, and as what they are stored. A kernel computes
/// in T and reads them through this concept alone, as mdspan reads through its accessor:
///   rows.tile(range)               the rows of a range as the left factor of K Qᵀ
///   rows.transposed(range)         the same rows as columns, the left factor of Vᵀ Pᵀ
///   rows.finite(range)             whether all elements of a range of rows are finite
///   rows.prefetch(range)           optional: asks the caches for the rows of a range
///   rows.part(range)               optional: the rows of a range as a part of a matrix of T
///   rows.unpack(range, to)         optional: writes the rows of a range as T, for rows that are
///                                  faster to unpack than to read one by one
/// So rows may lie in pages, be stored in 16 bits, or in 8 bits with a scale for each row.
template <class X, class T>
concept KeyRows = std::copy_constructible<X> && requires(const X& rows, Range range) {
  { rows.rows() } -> std::same_as<Index>;
  { rows.columns() } -> std::same_as<Index>;
  { rows.tile(range) } -> LeftFactorOf<T>;
  { rows.transposed(range) } -> LeftFactorOf<T>;
  { rows.finite(range) } -> std::same_as<bool>;
};

/// Rows of a matrix in memory, evenly spaced, stored as `Stored`.
template <class T, class Stored = T>
class StridedRows {
 public:
  /// X has the rows from `first` on.
  explicit StridedRows(const TensorView<const Stored, 2>& X, Index first = 0)
      : StridedRows(X, first, first + X.shape()[0]) {}
  /// X has the rows from `first` on of `rows` rows, of which others are not asked for.
  StridedRows(const TensorView<const Stored, 2>& X, Index first, Index rows)
      : data_(X.data()),
        first_(first),
        rows_(rows),
        columns_(X.shape()[1]),
        stride_(X.strides()[0]) {}

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  LeftFactor<T, Stored> tile(Range range) const { return {row(range.begin), stride_, 1}; }
  LeftFactor<T, Stored> transposed(Range range) const { return {row(range.begin), 1, stride_}; }
  /// The same rows in memory, where they are stored as they are computed with.
  detail::MatrixPart<const T> part(Range range) const
    requires std::same_as<T, Stored>
  {
    return {row(range.begin), stride_, range.size(), columns_};
  }
  bool finite(Range range) const {
    const Stored* const first = row(range.begin);
    if constexpr (std::same_as<T, Stored>) {
      return all_finite<T>({first, stride_, range.size(), columns_});
    } else {
      for (Index j = 0; j < range.size(); ++j)
        for (Index e = 0; e < columns_; ++e)
          if (!std::isfinite(static_cast<T>(first[j * stride_ + e]))) return false;
      return true;
    }
  }
  void prefetch(Range range) const {
    constexpr Index cache_line = 64 / sizeof(Stored);
    for (Index j = range.begin; j < range.end; ++j)
      for (Index e = 0; e < columns_; e += cache_line) __builtin_prefetch(row(j) + e);
  }

 private:
  const Stored* row(Index j) const { return data_ + (j - first_) * stride_; }

  const Stored* data_;
  Index first_, rows_, columns_, stride_;
};

/// Keys or values of all heads of a call, (B, G, S, E): a tensor view, or another type with a
/// `shape()`, the `Scalar` that it is computed in, and `rows(b, g)`, which are KeyRows. Packed
/// sequences need `part(range)` too, the same heads with a range of their rows.
template <class X>
concept KeyHeads = requires(const X& heads, Index i) {
  typename X::Scalar;
  { heads.shape() } -> std::convertible_to<Shape<4>>;
  { heads.rows(i, i) } -> KeyRows<typename X::Scalar>;
};

namespace detail {

/// Rows that lie in memory as a matrix of T.
template <class X, class T>
concept MatrixRows = requires(const X& rows, Range range) {
  { rows.part(range) } -> std::same_as<MatrixPart<const T>>;
};

/// Rows that are unpacked before they are computed with.
template <class X, class T>
concept UnpackedRows = requires(const X& rows, Range range, T* to) { rows.unpack(range, to); };

/// The rows of one head.
template <class T, class Stored>
StridedRows<T, Stored> head_rows(const TensorView<const Stored, 4>& heads, Index b, Index g) {
  const Shape<4>& shape = heads.shape();
  const Shape<4>& strides = heads.strides();
  return StridedRows<T, Stored>(TensorView<const Stored, 2>(
      heads.data() + b * strides[0] + g * strides[1], {shape[2], shape[3]}, {strides[2], 1}));
}
template <class T, KeyHeads Heads>
auto head_rows(const Heads& heads, Index b, Index g) {
  return heads.rows(b, g);
}
template <class T, class Heads>
using HeadRows = decltype(head_rows<T>(std::declval<const Heads&>(), Index{}, Index{}));

/// A range of rows, and whether all their elements are finite: then a masked row need not be left
/// out, for 0 · V = 0.
template <class T, KeyRows<T> Rows>
class RowTile {
 public:
  RowTile(const Rows& rows, Range range) : rows_(rows), range_(range) {}

  void prefetch() const {
    if constexpr (requires { rows_.prefetch(range_); }) rows_.prefetch(range_);
  }
  /// The tile's rows from `begin` on, as the transposed left factor.
  auto transposed(Index begin) const {
    return rows_.transposed(Range{range_.begin + begin, range_.end});
  }
  /// The same rows as a part of a matrix.
  MatrixPart<const T> part(Range some) const
    requires MatrixRows<Rows, T>
  {
    return rows_.part({range_.begin + some.begin, range_.begin + some.end});
  }
  Range range() const { return range_; }
  /// Computed on first use.
  bool finite() {
    if (!asked_) finite_ = rows_.finite(range_);
    asked_ = true;
    return finite_;
  }

 private:
  const Rows& rows_;
  Range range_;
  bool asked_ = false, finite_ = false;
};

}  // namespace detail

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
/// dropout are asked in rows and keys of the head.
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

/// A kernel whose work can be divided between keys as well: by threads where there are few queries,
/// or by keys that are not in memory at once. It keeps a state for the queries of a task.
///
///   Index state_size(task) const;
///       The elements of a state.
///   void begin_state(task, state) const;
///       The state of no keys.
///   void forward_state(task, rule, state, workspace) const;
///       Adds the task's keys, without a sink, to a state: a part of all that begins with a tile, of
///       `plan.tile_keys` keys. Parts are added in the order of their keys.
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
