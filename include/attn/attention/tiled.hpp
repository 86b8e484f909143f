#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_TILED_HPP
#define ATTN_ATTENTION_TILED_HPP

#include <attn/attention/query_panel.hpp>
#include <attn/attention/tiled_backward.hpp>
#include <attn/attention/unpacked_task.hpp>

#define ATTN_KERNELS <attn/attention/tiled.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Attention by tiles, in memory that does not grow with L or S [FA2 Alg.1]: every tile of keys is
/// read once for some panels of queries, whose maxima, sums and outputs are updated after each. The
/// result is Reference's up to rounding. What a query gets depends on it, its keys and values, and
/// its rule alone: not on the other queries, on threads or on addresses.
/// Cost: 2·L·S·(E + Ev) floating-point operations, without those of tiles that the rule excludes.
/// For float and E, Ev ≤ 128 about 0.2 MB of workspace a thread; the weights, if they are asked
/// for, are half as much work again. The backward pass takes L·S·(6·E + 4·Ev) operations.
struct Tiled {
  static constexpr Index tile_keys = detail::tiled_keys;  ///< Bc
  static constexpr bool adds_sinks = true;

  template <class T>
  KernelPlan plan(const HeadSizes& sizes) const {
    return ATTN_DISPATCH(TiledKernel::plan<T>(sizes));
  }
  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R& rule, const HeadOutputs<T>& outputs, T* workspace) const {
    ATTN_DISPATCH(TiledKernel::forward(task, rule, outputs, workspace));
  }
  template <class Task>
  Index state_size(const Task& task) const {
    return ATTN_DISPATCH(TiledKernel::state_size(task));
  }
  template <class Task, class T = typename Task::Scalar>
  void begin_state(const Task& task, T* state) const {
    ATTN_DISPATCH(TiledKernel::begin_state(task, state));
  }
  template <class Task, class R, class T = typename Task::Scalar>
  void forward_state(const Task& task, const R& rule, T* state, T* workspace) const {
    ATTN_DISPATCH(TiledKernel::forward_state(task, rule, state, workspace));
  }
  template <class Task, class T = typename Task::Scalar>
  void merge_states(const Task& task, std::span<const T> states, const HeadOutputs<T>& outputs,
                    T* workspace) const {
    ATTN_DISPATCH(TiledKernel::merge_states(task, states, outputs, workspace));
  }
  template <class Task, class R, class Gradients, class T = typename Task::Scalar>
  void backward(const Task& task, const R& rule, const HeadResults<T>& results,
                const Gradients& gradients, T* workspace) const {
    ATTN_DISPATCH(TiledKernel::backward(task, rule, results, gradients, workspace));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The tiles of `Tiled` for the registers of an instruction set.
struct TiledKernel {
  template <class Task>
  using RuleOf = ScoreRule<typename Task::Scalar>;

  static constexpr Index tile_keys = tiled_keys;
  static constexpr Index tile_queries = 96;  ///< Br, about

  template <class T>
  static KernelPlan plan(const HeadSizes& sizes) {
    const Index E = sizes.head_dim, Ev = sizes.value_dim, rows = queries<T>(E, Ev);
    const Index panels = rows / panel_rows<T>;
    const Index unpacked = UnpackedTask<HeadTask<T> >::size(sizes.unpacked);
    return {rows, unpacked + scores_size<T>(E) + panels * query_panel_size<T>(E, Ev),
            TiledBackwardLayout<T>::workspace_size(E, Ev, rows), segment(sizes.keys), tile_keys};
  }

  template <class Task, class T = typename Task::Scalar>
  static void forward(const Task& stored, const RuleOf<Task>& rule, const HeadOutputs<T>& outputs,
                      T* workspace) {
    UnpackedTask<Task> task(stored, workspace);
    using Queries = PanelOf<Task>;
    visit_panels(task, workspace, [](const Queries& panel) { panel.begin(); });
    attend(task, rule, workspace);
    visit_panels(task, workspace, [&](const Queries& panel) { panel.finish(outputs); });
    if (!outputs.weights) return;
    for_each_tile(task.task(), rule, [&](Range keys, Coverage coverage) {
      load(task, keys, coverage);
      visit_panels(task, workspace, [&](const Queries& panel) {
        panel.write_weights(panel.scores(rule, keys, coverage), keys, *outputs.weights);
      });
    });
  }
  /// That of all panels.
  template <class Task>
  static Index state_size(const Task& task) {
    using T = typename Task::Scalar;
    Index size = 0;
    for (Index row = 0; row < task.Q.rows();) {
      const Panel<T> panel = Panel<T>::of(task.Q.rows() - row);
      size += QueryPanel<Task>::state_size(panel, task.V.columns());
      row += panel.size();
    }
    return size;
  }
  template <class Task, class T = typename Task::Scalar>
  static void begin_state(const Task& task, T* state) {
    for (Index row = 0; row < task.Q.rows();) {
      const Panel<T> panel = Panel<T>::of(task.Q.rows() - row);
      state = QueryPanel<Task>::begin_state(panel, task.V.columns(), state);
      row += panel.size();
    }
  }
  template <class Task, class T = typename Task::Scalar>
  static void forward_state(const Task& stored, const RuleOf<Task>& rule, T* state, T* workspace) {
    UnpackedTask<Task> task(stored, workspace);
    const T* before = state;
    visit_panels(task, workspace, [&](const PanelOf<Task>& panel) {
      panel.resume(before);
      before += panel.state_size();
    });
    attend(task, rule, workspace);
    visit_panels(task, workspace, [&](const PanelOf<Task>& panel) {
      panel.save(state);
      state += panel.state_size();
    });
  }
  template <class Task, class T = typename Task::Scalar>
  static void merge_states(const Task& stored, std::span<const T> states,
                           const HeadOutputs<T>& outputs, T* workspace) {
    const UnpackedTask<Task> task(stored, workspace);
    const Index size = state_size(stored), count = std::ssize(states) / size;
    const T* first = states.data();
    visit_panels(task, workspace, [&](const PanelOf<Task>& panel) {
      panel.begin();
      for (Index tile = 0; tile < count; ++tile) panel.merge(first + tile * size);
      panel.finish(outputs);
      first += panel.state_size();
    });
  }

  template <class Task, class Gradients, class T = typename Task::Scalar>
  static void backward(const Task& task, const GradientRule<typename Task::Scalar>& rule,
                       const HeadResults<T>& results, const Gradients& gradients, T* workspace) {
    const Index tile = queries<T>(task.Q.cols(), task.V.columns());
    TiledBackward<Task, Gradients>(task, results, gradients, tile, workspace)
        .run(rule, segment(task.K.rows()));
  }

 private:
  template <class Task>
  using PanelOf = QueryPanel<typename UnpackedTask<Task>::Unpacked>;

  /// Passes over the task's keys, tile by tile, with panels that have begun.
  template <class Task, class T = typename Task::Scalar>
  [[gnu::noinline]] static void attend(UnpackedTask<Task>& task, const RuleOf<Task>& rule,
                                       T* workspace) {
    using Queries = PanelOf<Task>;
    using Values = RowTile<T, typename UnpackedTask<Task>::Values>;
    for_each_tile(task.task(), rule, [&](Range keys, Coverage coverage) {
      if (coverage == Coverage::empty) return;
      load(task, keys, coverage);
      Values values(task.task().V, keys);
      visit_panels(task, workspace,
                   [&](const Queries& panel) { panel.attend(rule, keys, coverage, values); });
    });
  }
  template <class Task>
  static void load(UnpackedTask<Task>& task, Range keys, Coverage coverage) {
    using T = typename Task::Scalar;
    const Index queries = task.task().Q.rows();
    TileReaders readers = TileReaders::panels;
    if (queries <= panel_rows<T>) readers = TileReaders::panel;
    if (queries <= simd::lanes<T>) readers = TileReaders::vector;
    task.load(keys, readers, coverage != Coverage::full);
  }
  /// f(keys, what the rule says of them) for each tile of the task's keys.
  template <class Task, class F>
  static void for_each_tile(const Task& task, const RuleOf<Task>& rule, F&& f) {
    for (Index j = task.keys.begin; j < task.keys.end; j += tile_keys) {
      const Range keys{j, std::min(j + tile_keys, task.keys.end)};
      f(keys, rule.cover(task.tile({0, task.Q.rows()}, keys)));
    }
  }
  /// Queries of a task: whole panels, fewer where they are so wide that they would leave the cache.
  template <class T>
  static Index queries(Index E, Index Ev) {
    constexpr Index cache = 128 * 1024 / sizeof(T);
    const Index panels = std::min(tile_queries / panel_rows<T>, cache / query_panel_size<T>(E, Ev));
    return std::max<Index>(1, panels) * panel_rows<T>;
  }
  /// Keys whose part of dQ is summed by itself: an eighth of them, but not much fewer than 512, in
  /// whole tiles.
  static Index segment(Index S) {
    constexpr Index tile = backward_tile_keys;
    const Index segments = std::clamp<Index>(S / 512, 1, 8), keys = (S + segments - 1) / segments;
    return (keys + tile - 1) / tile * tile;
  }

  /// f(panel) for each panel of a task's queries.
  template <class Task, class T, class F>
  static void visit_panels(const UnpackedTask<Task>& unpacked, T* workspace, F&& f) {
    const auto& task = unpacked.task();
    T* const scores = workspace + unpacked.size();
    T* memory = scores + scores_size<T>(task.Q.cols());
    for (Index row = 0; row < task.Q.rows();) {
      const PanelOf<Task> panel(task, row, memory, scores);
      f(panel);
      row = panel.queries().end;
      memory += query_panel_size<T>(task.Q.cols(), task.V.columns());
    }
  }
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
