#pragma once

#include <attn/attention/attention_shapes.hpp>
#include <attn/core/tensor.hpp>
#include <attn/parallel/task_memory.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// The logits of all query heads; none without a sink.
template <class T, Rule R>
std::vector<T> sinks_of([[maybe_unused]] const BoundRule<R>& rule, [[maybe_unused]] Index heads) {
  std::vector<T> sinks;
  if constexpr (BoundRule<R>::has_sink)
    for (Index h = 0; h < heads; ++h) sinks.push_back(static_cast<T>(rule.sink(h)));
  return sinks;
}

/// One call of attention, divided into the tasks of a kernel. Query head h reads key head h·G/H,
/// where it lies: grouped-query attention (GQA), with G = 1 multi-query attention [Ainslie23]. Only
/// this struct knows of batch, heads, groups and threads.
template <class T, class Keys, class Values>
struct AttentionCall : AttentionShapes<T, Keys, Values> {
  using Shapes = AttentionShapes<T, Keys, Values>;
  using Shapes::batch, Shapes::heads, Shapes::inputs, Shapes::key_heads, Shapes::queries,
      Shapes::sizes;
  using Scalar = T;
  using Task = HeadTask<T, HeadRows<T, Keys>, HeadRows<T, Values>>;
  T scale;
  Index first_head = 0;           ///< of query, where the heads are a part of all
  Index first_batch = 0;          ///< the place of sequence 0 for rules and dropout
  std::span<const T> sinks = {};  ///< of all query heads; none if empty

  /// Runs the kernel on all queries, as many of a head at a time as it plans, in parallel; each row
  /// of the output is computed by one task. A head's last queries come first: under a causal rule
  /// they have most to do.
  template <class Kernel, Rule R>
  void forward(const Kernel& kernel, const BoundRule<R>& rule,
               const AttentionOutputs<T>& outputs) const {
    static_assert(AttentionKernel<Kernel, T>, "see attention/kernel.hpp for what a kernel has");
    static_assert(!BoundRule<R>::has_sink || AddsSinks<Kernel>,
                  "this kernel does not add sinks: see attention/kernel.hpp");
    if (outputs.output.size() == 0 && !outputs.weights && !outputs.log_sum_exp) return;
    const KernelPlan plan = kernel.template plan<T>(sizes());
    if constexpr (DivisibleKernel<Kernel, T>)
      if (divides_keys(plan, outputs)) return forward_by_keys(kernel, rule, outputs, plan);
    parallel_for<T>(forward_tasks(plan.queries), plan.workspace_size, [&](Index n, T* workspace) {
      forward_task(kernel, rule, outputs, {n, plan.queries, workspace});
    });
  }

  /// The backward pass. A task has the heads of a group and some of their keys, to whose gradients
  /// it alone adds; what it gives dQ is kept apart, and the parts are added in order, so that the
  /// result does not depend, bitwise, on the division.
  template <class Kernel, Rule R>
  void backward(const Kernel& kernel, const BoundRule<R>& rule, const BackwardInputs<T>& given,
                const InputGradients<T>& gradients) const {
    const KernelPlan plan = kernel.template plan<T>(sizes());
    const Index S = sizes().keys, G = key_heads(), groups = batch() * G;
    if (scores_are_empty()) return clear(gradients);
    const Index part_keys = keys_of_a_part(plan.segment), parts = (S + part_keys - 1) / part_keys;
    auto others =
        Tensor<T, 5>::for_overwrite({parts - 1, batch(), heads(), queries(), sizes().head_dim});
    parallel_for<T>(groups * parts, plan.backward_workspace_size, [&](Index n, T* workspace) {
      const Index part = n / groups, group = n % groups;
      const Range keys{part * part_keys, std::min(S, (part + 1) * part_keys)};
      const TensorView<T, 4> d_query = part == 0 ? gradients.query : others[part - 1];
      backward_of_group(kernel, rule, given, {d_query, gradients.key, gradients.value},
                        {group, keys, workspace});
    });
    if (parts > 1) add_parts(others, gradients.query);
  }

  /// compute(task, results, found) for parts of `part_rows` rows of the scores of each head, some
  /// in parallel, each with a list of its own; then add(found) for the lists in order, so that
  /// threads do not change a sum.
  template <class Found, class Compute, class Add>
  void for_each_part_in_order(const BackwardInputs<T>& given, Index part_rows, Compute&& compute,
                              Add&& add) const {
    constexpr Index at_once = 16;
    const Index of_a_head = (queries() + part_rows - 1) / part_rows;
    const Index parts = batch() * heads() * of_a_head;
    std::vector<Found> found(static_cast<std::size_t>(at_once));
    for (Index first = 0; first < parts; first += at_once) {
      const Index count = std::min(at_once, parts - first);
      parallel_for(count, [&](Index n) {
        const Index head = (first + n) / of_a_head, row = (first + n) % of_a_head * part_rows;
        const Range rows{row, std::min(queries(), row + part_rows)};
        compute(task(head, rows, {0, sizes().keys}), results_of(given, head, rows),
                found[static_cast<std::size_t>(n)]);
      });
      for (Index n = 0; n < count; ++n) add(found[static_cast<std::size_t>(n)]);
    }
  }

 private:
  template <class Call, Rule R>
  friend class PackedCall;

  struct ForwardTask {
    Index number;   // of all forward tasks
    Index queries;  // of a task, at most
    T* workspace;
  };

  Index tiles_of_queries(Index tile) const { return (queries() + tile - 1) / tile; }
  Index forward_tasks(Index tile) const { return batch() * heads() * tiles_of_queries(tile); }
  template <class Kernel, Rule R>
  void forward_task(const Kernel& kernel, const BoundRule<R>& rule,
                    const AttentionOutputs<T>& outputs, const ForwardTask& part) const {
    const Index tiles = tiles_of_queries(part.queries), head = part.number / tiles;
    const Index row = (tiles - 1 - part.number % tiles) * part.queries;
    const Range rows{row, std::min(row + part.queries, queries())};
    kernel.forward(task(head, rows, {0, sizes().keys}), rule, outputs_of(outputs, head, rows),
                   part.workspace);
  }

  /// Whether the keys are divided as well: where there are few tasks for the threads, and the
  /// states do not need much memory.
  bool divides_keys(const KernelPlan& plan, const AttentionOutputs<T>& outputs) const {
    constexpr Index most_states = 4096;
    const Index tasks = batch() * heads(), tiles = tiles_of(plan);
    return num_threads() > 1 && tasks < 4 * num_threads() && queries() > 0 &&
           queries() <= plan.queries && tiles > 1 && tasks * tiles <= most_states &&
           !outputs.weights;
  }
  Index tiles_of(const KernelPlan& plan) const {
    return (sizes().keys + plan.tile_keys - 1) / plan.tile_keys;
  }
  /// A task has some tiles of keys of a head, one after the other in memory, each with a state of
  /// its own. The states are then merged in order.
  template <class Kernel, Rule R>
  void forward_by_keys(const Kernel& kernel, const BoundRule<R>& rule,
                       const AttentionOutputs<T>& outputs, const KernelPlan& plan) const {
    const Index tiles = tiles_of(plan), S = sizes().keys, all_heads = batch() * heads();
    const Range rows{0, queries()};
    const Index size = kernel.state_size(task(0, rows, {0, S}));
    auto states = Tensor<T, 2>::for_overwrite({all_heads, tiles * size});
    const Index of_a_task = std::clamp<Index>(all_heads * tiles / (8 * num_threads()), 1, tiles);
    const Index tasks = (tiles + of_a_task - 1) / of_a_task;
    parallel_for<T>(all_heads * tasks, plan.workspace_size, [&](Index n, T* workspace) {
      const Index head = n / tasks, first = n % tasks * of_a_task;
      for (Index tile = first; tile < std::min(first + of_a_task, tiles); ++tile) {
        const Index key = tile * plan.tile_keys;
        const Task some = task(head, rows, {key, std::min(key + plan.tile_keys, S)});
        T* const state = states.data() + (head * tiles + tile) * size;
        kernel.begin_state(some, state);
        kernel.forward_state(some, rule, state, workspace);
      }
    });
    parallel_for<T>(all_heads, plan.workspace_size, [&](Index head, T* workspace) {
      const std::span<const T> of_head(states.data() + head * tiles * size,
                                       static_cast<std::size_t>(tiles * size));
      kernel.merge_states(task(head, rows, {0, S}), of_head, outputs_of(outputs, head, rows),
                          workspace);
    });
  }

  struct GroupTask {
    Index group;  // of the B·G groups
    Range keys;
    T* workspace;
  };

  /// Whether the backward pass has several parts.
  bool divides_keys_of_backward(const KernelPlan& plan) const {
    return keys_of_a_part(plan.segment) < sizes().keys;
  }
  /// The keys of each part of a backward pass: all of them where there are heads enough, or dQ is
  /// large; otherwise a segment.
  Index keys_of_a_part(Index segment) const {
    constexpr Index enough_tasks = 32, most_memory = (Index{48} << 20) / sizeof(T);
    const Index S = sizes().keys, segments = (S + segment - 1) / segment;
    const bool apart =
        batch() * key_heads() < enough_tasks && (segments - 1) * inputs.query.size() <= most_memory;
    return apart ? segment : S;
  }

  template <class Kernel, Rule R>
  void backward_of_group(const Kernel& kernel, const BoundRule<R>& rule,
                         const BackwardInputs<T>& given, const InputGradients<T>& gradients,
                         const GroupTask& part) const {
    const Index G = key_heads(), group = heads() / G, b = part.group / G, g = part.group % G;
    const Range rows{0, queries()}, keys = part.keys;
    gradients.key.matrix(b, g).middleRows(keys.begin, keys.size()).setZero();
    gradients.value.matrix(b, g).middleRows(keys.begin, keys.size()).setZero();
    for (Index h = g * group; h < (g + 1) * group; ++h) {
      const Index head = b * heads() + h;
      gradients.query.matrix(b, h).setZero();
      kernel.backward(task(head, rows, keys), rule, results_of(given, head, rows),
                      HeadGradients<T>{gradients.query[b][h],
                                       gradients.key[b][g].slice(0, keys.begin, keys.end),
                                       gradients.value[b][g].slice(0, keys.begin, keys.end)},
                      part.workspace);
    }
  }

  /// Some rows of a query head, of the B·H, against some keys.
  Task task(Index head, Range rows, Range keys) const {
    const Index b = head / heads(), h = head % heads(), g = h * key_heads() / heads();
    return {part(inputs.query, head, rows).matrix(),
            head_rows<T>(inputs.key, b, g),
            head_rows<T>(inputs.value, b, g),
            scale,
            first_batch + b,
            first_head + h,
            rows.begin,
            keys,
            inputs.dropout,
            sinks_of(h, rows)};
  }
  /// One sink for all rows of a head, or, where they are the heads of a group, one for each.
  std::span<const T> sinks_of(Index head, Range rows) const {
    const auto each = sinks.size() / static_cast<std::size_t>(heads());
    const auto first = static_cast<std::size_t>(head) * each;
    if (each <= 1) return sinks.subspan(first, each);
    return sinks.subspan(first + static_cast<std::size_t>(rows.begin),
                         static_cast<std::size_t>(rows.size()));
  }
  HeadOutputs<T> outputs_of(const AttentionOutputs<T>& outputs, Index head, Range rows) const {
    HeadOutputs<T> some{part(outputs.output, head, rows), std::nullopt, std::nullopt};
    if (outputs.weights) some.weights = part(*outputs.weights, head, rows);
    if (outputs.log_sum_exp) some.log_sum_exp = part(*outputs.log_sum_exp, head, rows);
    return some;
  }
  HeadResults<T> results_of(const BackwardInputs<T>& given, Index head, Range rows) const {
    return {part(given.output, head, rows).matrix(), part(given.d_output, head, rows).matrix(),
            part(given.log_sum_exp, head, rows)};
  }
  /// Some rows of one of the B·H heads.
  template <class U>
  TensorView<U, 2> part(const TensorView<U, 4>& view, Index head, Range rows) const {
    const Shape<4>& strides = view.strides();
    return {view.data() + head / heads() * strides[0] + head % heads() * strides[1] +
                rows.begin * strides[2],
            {rows.size(), view.shape()[3]},
            {strides[2], 1}};
  }
  template <class U>
  TensorView<U, 1> part(const TensorView<U, 3>& view, Index head, Range rows) const {
    const Shape<3>& strides = view.strides();
    return {view.data() + head / heads() * strides[0] + head % heads() * strides[1] + rows.begin,
            {rows.size()}};
  }

  bool scores_are_empty() const { return batch() * heads() * queries() == 0 || sizes().keys == 0; }
  static void clear(const InputGradients<T>& gradients) {
    for (const auto& view : {gradients.query, gradients.key, gradients.value}) {
      if (view.size() == 0) continue;
      for (Index b = 0; b < view.shape()[0]; ++b)
        for (Index h = 0; h < view.shape()[1]; ++h) view.matrix(b, h).setZero();
    }
  }
  /// sum ← sum + Σ of the parts, in order
  static void add_parts(const Tensor<T, 5>& parts, const TensorView<T, 4>& sum) {
    const Index H = sum.shape()[1];
    parallel_for(sum.shape()[0] * H, [&](Index head) {
      auto total = sum.matrix(head / H, head % H);
      for (Index part = 0; part < parts.shape()[0]; ++part)
        total += parts.matrix(part, head / H, head % H);
    });
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
