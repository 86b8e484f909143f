#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_TILED_HPP
#define ATTN_ATTENTION_TILED_HPP

#include <attn/attention/query_panel.hpp>
#include <attn/attention/tiled_backward.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

inline constexpr Index tiled_keys = 192;

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

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

  template <class T>
  KernelPlan plan(const HeadSizes& sizes) const {
    return ATTN_DISPATCH(TiledKernel::plan<T>(sizes));
  }
  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R& rule, const HeadOutputs<T>& outputs, T* workspace) const {
    ATTN_DISPATCH(TiledKernel::forward(task, rule, outputs, workspace));
  }
  template <class Task, class R, class T = typename Task::Scalar>
  void backward(const Task& task, const R& rule, const HeadResults<T>& results,
                const HeadGradients<T>& gradients, T* workspace) const {
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
  static constexpr Index tile_keys = tiled_keys;
  static constexpr Index tile_queries = 96;  ///< Br, about

  template <class T>
  static KernelPlan plan(const HeadSizes& sizes) {
    const Index E = sizes.head_dim, Ev = sizes.value_dim, rows = queries<T>(E, Ev);
    const Index panels = rows / panel_rows<T>;
    return {rows, scores_size<T>() + panels * query_panel_size<T>(E, Ev),
            TiledBackwardLayout<T>::workspace_size(E, Ev, rows), segment(sizes.keys)};
  }

  template <class Task, class R, class T = typename Task::Scalar>
  static void forward(const Task& task, const R& rule, const HeadOutputs<T>& outputs,
                      T* workspace) {
    const auto for_each_tile = [&](auto&& f) {
      for (Index j = task.keys.begin; j < task.keys.end; j += tile_keys) {
        const Range keys{j, std::min(j + tile_keys, task.keys.end)};
        f(keys, rule.cover(task.tile({0, task.Q.rows()}, keys)));
      }
    };
    const auto for_each_panel = [&](auto&& f) { visit_panels(task, workspace, f); };

    using Queries = QueryPanel<Task>;
    for_each_panel([](const Queries& panel) { panel.begin(); });
    for_each_tile([&](Range keys, Coverage coverage) {
      if (coverage == Coverage::empty) return;
      RowTile<T, std::remove_cvref_t<decltype(task.V)> > values(task.V, keys);
      values.prefetch();
      for_each_panel(
          [&](const Queries& panel) { panel.add(panel.scores(rule, keys, coverage), values); });
    });
    for_each_panel([&](const Queries& panel) { panel.finish(outputs); });
    if (!outputs.weights) return;
    for_each_tile([&](Range keys, Coverage coverage) {
      for_each_panel([&](const Queries& panel) {
        panel.write_weights(panel.scores(rule, keys, coverage), keys, *outputs.weights);
      });
    });
  }

  template <class Task, class R, class T = typename Task::Scalar>
  static void backward(const Task& task, const R& rule, const HeadResults<T>& results,
                       const HeadGradients<T>& gradients, T* workspace) {
    const Index tile = queries<T>(task.Q.cols(), task.V.columns());
    TiledBackward<Task>(task, results, gradients, tile, workspace)
        .run(rule, segment(task.K.rows()));
  }

 private:
  /// Queries of a task: whole panels, fewer where they are so wide that they would leave the cache.
  template <class T>
  static Index queries(Index E, Index Ev) {
    constexpr Index cache = 128 * 1024 / sizeof(T);
    const Index panels = std::min(tile_queries / panel_rows<T>, cache / query_panel_size<T>(E, Ev));
    return std::max<Index>(1, panels) * panel_rows<T>;
  }
  /// Memory for the scores of a panel against a tile of keys.
  template <class T>
  static constexpr Index scores_size() {
    return padded_size(tile_keys + simd::lanes<T>) * panel_rows<T>;
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
  static void visit_panels(const Task& task, T* workspace, F& f) {
    T* memory = workspace + scores_size<T>();
    for (Index row = 0; row < task.Q.rows();) {
      const QueryPanel<Task> panel(task, row, memory, workspace);
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
