#pragma once

#include <attn/attention/attention_inputs.hpp>
#include <attn/attention/kernel.hpp>
#include <attn/mpi/window.hpp>
#include <attn/parallel/task_memory.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// What the ranks of a column compute: attention of some heads, whose positions are divided
/// between the ranks. Each rank has the queries, keys and values (B, H, n, E) of its positions.
template <class T, class Kernel, Rule R>
struct WindowedAttention {
  const World& world;
  const std::vector<Blocks>& blocks;  ///< the positions of each rank
  const Kernel& kernel;
  const BoundRule<R>& rule;
  AttentionInputs<T> inputs;
  Index length, first_head;
  T scale;
  std::span<const T> sinks;  ///< of the query heads that are here; none if empty

  using Output = TensorView<T, 4>;

  /// Keys and values pass by in windows, in ascending order, and each query adds them to its state.
  /// The result is bitwise that of one process, which adds the same tiles of keys in the same
  /// order.
  void forward(Together& together, const AttentionOutputs<T>& outputs) const {
    for_each_chunk([&](Range key_heads) { forward_of(together, outputs, key_heads); });
  }

  /// dQ, from windows of keys and values as in forward; then dK and dV, from windows of queries,
  /// outputs and their gradients. Each rank adds to the gradients of its own positions, in the
  /// order in which one process adds, so that nothing is summed between ranks.
  /// Cost: scores and their gradients are computed twice, 7 products instead of 5.
  void backward(Together& together, const BackwardInputs<T>& given,
                const InputGradients<T>& gradients) const {
    for_each_chunk([&](Range key_heads) {
      query_gradients(together, given, gradients.query, key_heads);
      key_gradients(together, given, gradients, key_heads);
    });
  }

 private:
  /// Some rows of this rank's tensors, whose positions follow each other.
  struct Piece {
    Range rows;
    Index position;
  };
  using Task = HeadTask<T>;

  const Blocks& mine() const { return blocks[static_cast<std::size_t>(world.rank())]; }
  Index batch() const { return inputs.query.shape()[0]; }
  /// Query heads of a key head.
  Index group() const { return inputs.query.shape()[1] / inputs.key.shape()[1]; }
  KernelPlan plan() const {
    return kernel.template plan<T>({inputs.query.shape()[3], inputs.value.shape()[3], length});
  }
  /// The windows of keys that dQ is summed over: it is a sum over segments.
  std::vector<Range> segments(Index segment) const {
    std::vector<Range> windows;
    for (Index begin = 0; begin < length; begin += segment)
      windows.push_back({begin, std::min(begin + segment, length)});
    return windows;
  }
  std::vector<Piece> pieces(Index rows) const {
    std::vector<Piece> pieces;
    mine().for_each([&](Index row, Range positions) {
      for (Index i = 0; i < positions.size(); i += rows)
        pieces.push_back(
            {{row + i, row + std::min(i + rows, positions.size())}, positions.begin + i});
    });
    return pieces;
  }
  /// f(key heads) for as many at a time as fit some memory, all alike on all ranks.
  template <class F>
  void for_each_chunk(F&& f) const {
    constexpr Index memory = (Index{32} << 20) / static_cast<Index>(sizeof(T));
    const Index G = inputs.key.shape()[1], E = inputs.key.shape()[3] + inputs.value.shape()[3];
    const Index of_a_head = std::max<Index>(1, batch() * (length / 8 + 1) * E);
    const Index count = std::clamp<Index>(memory / of_a_head, 1, std::max<Index>(G, 1));
    for (Index g = 0; g < G; g += count) f(Range{g, std::min(g + count, G)});
  }
  template <class U>
  static TensorView<U, 2> head(const TensorView<U, 4>& x, Index b, Index h) {
    return x[b][h];
  }

  /// One of the tasks that a loop is divided into: a piece of a head of a sequence, the last
  /// pieces first.
  struct Place {
    Index b, h;
    const Piece& piece;
  };
  static Place place(Index n, Index heads, const std::vector<Piece>& pieces) {
    const Index count = std::ssize(pieces), head = n / count;
    return {head / heads, head % heads, pieces[static_cast<std::size_t>(count - 1 - n % count)]};
  }

  /// A piece of a query head against a window of keys; without one, against none.
  Task query_task(const Place& at, Index h, const Window<T>* window, Index key_head) const {
    const Range keys = window ? window->positions() : Range{};
    const auto rows = [&](std::size_t n, Index columns) {
      const TensorView<const T, 2> none(nullptr, {0, columns});
      return StridedRows<T>(window ? window->rows(n)[at.b][key_head] : none, keys.begin, length);
    };
    return {head(inputs.query, at.b, h).slice(0, at.piece.rows.begin, at.piece.rows.end).matrix(),
            rows(0, inputs.key.shape()[3]),
            rows(1, inputs.value.shape()[3]),
            scale,
            at.b,
            first_head + h,
            at.piece.position,
            keys,
            inputs.dropout,
            sinks.subspan(sinks.empty() ? 0 : static_cast<std::size_t>(h), sinks.empty() ? 0 : 1)};
  }
  /// Whether the rule may allow a score of a task.
  bool attends(const Task& task) const {
    return rule.cover(task.tile({0, task.Q.rows()}, task.keys)) != Coverage::empty;
  }
  DividedRows<T> keys_and_values(Range key_heads) const {
    return {world,
            blocks,
            {inputs.key.slice(1, key_heads.begin, key_heads.end),
             inputs.value.slice(1, key_heads.begin, key_heads.end)}};
  }

  void forward_of(Together& together, const AttentionOutputs<T>& outputs, Range key_heads) const {
    const KernelPlan planned = plan();
    const std::vector<Piece> parts = pieces(planned.queries);
    const Index heads = key_heads.size() * group(), first = key_heads.begin * group(),
                tasks = batch() * heads * std::ssize(parts);
    Index state_size = 0;
    Tensor<T, 2> states;
    together.compute([&] {
      for (const Piece& piece : parts)
        state_size = std::max(state_size, kernel.state_size(query_task({0, 0, piece}, 0, {}, 0)));
      states = Tensor<T, 2>::for_overwrite({tasks, state_size});
      for (Index n = 0; n < tasks; ++n) {
        const Place at = place(n, heads, parts);
        kernel.begin_state(query_task(at, first + at.h, {}, 0), states[n].data());
      }
    });
    for_each_window<T>(together, keys_and_values(key_heads), windows_of(length, planned.tile_keys),
                       [&](const Window<T>& window) {
                         parallel_for<T>(tasks, planned.workspace_size, [&](Index n, T* workspace) {
                           const Place at = place(n, heads, parts);
                           const Task task = query_task(at, first + at.h, &window, at.h / group());
                           if (attends(task))
                             kernel.forward_state(task, rule, states[n].data(), workspace);
                         });
                       });
    together.compute([&] {
      parallel_for<T>(tasks, planned.workspace_size, [&](Index n, T* workspace) {
        const Place at = place(n, heads, parts);
        const Task task = query_task(at, first + at.h, {}, 0);
        const auto size = static_cast<std::size_t>(kernel.state_size(task));
        kernel.merge_states(task, std::span<const T>(states[n].data(), size),
                            outputs_of(outputs, at, first + at.h), workspace);
      });
    });
  }
  static HeadOutputs<T> outputs_of(const AttentionOutputs<T>& outputs, const Place& at, Index h) {
    const Range rows = at.piece.rows;
    HeadOutputs<T> some{head(outputs.output, at.b, h).slice(0, rows.begin, rows.end), std::nullopt,
                        std::nullopt};
    if (outputs.log_sum_exp)
      some.log_sum_exp = (*outputs.log_sum_exp)[at.b][h].slice(0, rows.begin, rows.end);
    return some;
  }

  void query_gradients(Together& together, const BackwardInputs<T>& given, const Output& d_query,
                       Range key_heads) const {
    const KernelPlan planned = plan();
    const std::vector<Piece> parts = pieces(planned.queries);
    const Index heads = key_heads.size() * group(), first = key_heads.begin * group();
    for_each_window<T>(
        together, keys_and_values(key_heads), segments(planned.segment),
        [&](const Window<T>& window) {
          const Index tasks = batch() * heads * std::ssize(parts);
          parallel_for<T>(tasks, planned.backward_workspace_size, [&](Index n, T* workspace) {
            const Place at = place(n, heads, parts);
            const Task task = query_task(at, first + at.h, &window, at.h / group());
            add_to_queries(task, given, d_query, {at.b, first + at.h, at.piece}, workspace);
          });
        });
  }
  void add_to_queries(const Task& task, const BackwardInputs<T>& given, const Output& d_query,
                      const Place& at, T* workspace) const {
    if (!attends(task)) return;
    const Range rows = at.piece.rows;
    const HeadResults<T> results{
        head(given.output, at.b, at.h).slice(0, rows.begin, rows.end).matrix(),
        head(given.d_output, at.b, at.h).slice(0, rows.begin, rows.end).matrix(),
        given.log_sum_exp[at.b][at.h].slice(0, rows.begin, rows.end)};
    const QueryGradient<T> sum{head(d_query, at.b, at.h).slice(0, rows.begin, rows.end)};
    kernel.backward(task, rule, results, sum, workspace);
  }

  void key_gradients(Together& together, const BackwardInputs<T>& given,
                     const InputGradients<T>& gradients, Range key_heads) const {
    const KernelPlan planned = plan();
    const std::vector<Piece> parts = pieces(4 * planned.tile_keys);
    for (Index j = 0; j < group(); ++j) {
      const auto of_group = [&](const TensorView<const T, 4>& x) {
        return heads_of_group(x, key_heads, j);
      };
      const auto log_sum_exp = attn::detail::with_trailing_axis(given.log_sum_exp);
      const DividedRows<T> rows{world,
                                blocks,
                                {of_group(inputs.query), of_group(given.output),
                                 of_group(given.d_output), of_group(log_sum_exp)}};
      for_each_window<T>(
          together, rows, windows_of(length, planned.queries), [&](const Window<T>& window) {
            const Index tasks = batch() * key_heads.size() * std::ssize(parts);
            parallel_for<T>(tasks, planned.backward_workspace_size, [&](Index n, T* workspace) {
              const Place at = place(n, key_heads.size(), parts);
              add_to_keys(at, window, gradients, {key_heads.begin + at.h, j}, workspace);
            });
          });
    }
  }
  /// Query head j of the group of each of some key heads.
  TensorView<const T, 4> heads_of_group(const TensorView<const T, 4>& x, Range key_heads,
                                        Index j) const {
    const auto& [B, H, n, E] = x.shape();
    const auto& strides = x.strides();
    return {x.data() + (key_heads.begin * group() + j) * strides[1],
            {B, key_heads.size(), n, E},
            {strides[0], group() * strides[1], strides[2], 1}};
  }
  struct HeadOfGroup {
    Index key_head, member;
  };
  void add_to_keys(const Place& at, const Window<T>& window, const InputGradients<T>& gradients,
                   HeadOfGroup of, T* workspace) const {
    const Range rows = at.piece.rows, keys{at.piece.position, at.piece.position + rows.size()};
    const auto local = [&](const auto& x) {
      return head(x, at.b, of.key_head).slice(0, rows.begin, rows.end);
    };
    const auto gathered = [&](std::size_t n) { return window.rows(n)[at.b][at.h]; };
    const Task task{gathered(0).matrix(),
                    StridedRows<T>(local(inputs.key), keys.begin, length),
                    StridedRows<T>(local(inputs.value), keys.begin, length),
                    scale,
                    at.b,
                    first_head + of.key_head * group() + of.member,
                    window.positions().begin,
                    keys,
                    inputs.dropout};
    const TensorView<const T, 1> log_sum_exp(gathered(3).data(), {window.positions().size()});
    kernel.backward(task, rule,
                    HeadResults<T>{gathered(1).matrix(), gathered(2).matrix(), log_sum_exp},
                    KeyGradients<T>{local(gradients.key), local(gradients.value)}, workspace);
  }
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
