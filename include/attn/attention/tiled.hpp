#pragma once

#include <attn/attention/query_panel.hpp>
#include <attn/attention/tiled_backward.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Attention by tiles, in memory that does not grow with L or S [FA2 Alg.1]: every tile of keys is
/// read once for some panels of queries, whose maxima, sums and outputs are brought up to date
/// after each. The result is Reference's up to rounding. What a query gets depends on it, its keys
/// and values, and its rule alone: not on the other queries, on threads or on addresses.
/// Cost: 2·L·S·(E + Ev) floating-point operations, without those of tiles that the rule excludes.
/// For float and E, Ev ≤ 128 some 0.2 MB of scratch a thread; weights, if they are asked for, are
/// half as much work again. The way back takes L·S·(6·E + 4·Ev) operations.
struct Tiled {
  static constexpr Index tile_keys = 192;    ///< Bc
  static constexpr Index tile_queries = 96;  ///< Br, about

  /// Queries of a task: panels of them, fewer where they are so wide that they would leave the
  /// cache.
  template <class T>
  Index queries(Index E, Index Ev) const {
    constexpr Index cache = 128 * 1024 / sizeof(T);
    const Index panels = std::min(tile_queries / panel_rows<T>, cache / query_panel_room<T>(E, Ev));
    return std::max<Index>(1, panels) * panel_rows<T>;
  }
  template <class T>
  Index scratch(Index E, Index Ev, Index) const {
    return scores_room<T>() + queries<T>(E, Ev) / panel_rows<T> * query_panel_room<T>(E, Ev);
  }

  template <class T, class R>
  void operator()(const HeadInput<T>& in, const R& rule, HeadOutput<T>& out, T* scratch) const {
    const auto for_each_panel = [&](auto&& f) {
      T* memory = scratch + scores_room<T>();
      for (Index row = 0; row < in.Q.rows();
           memory += query_panel_room<T>(in.Q.cols(), in.V.cols()))
        row += with_panel<T>(in.Q.rows() - row, [&]<int W>(Panel<T, W>) {
          f(QueryPanel<T, W>(in, row, memory, scratch));
          return Panel<T, W>::size;
        });
    };
    const auto for_each_tile = [&](auto&& f) {
      for (Index j = 0; j < in.K.rows(); j += tile_keys)
        f(Range{j, std::min(j + tile_keys, in.K.rows())});
    };

    for_each_panel([](auto&& panel) { panel.begin(); });
    for_each_tile([&](Range keys) {
      TileRows<T> values(in.V, keys);
      const bool excluded = rule.cover({in.batch, in.head, in.row, in.row + in.Q.rows(), keys.begin,
                                        keys.end}) == Cover::none;
      if (excluded && values.first() != 0) return;
      values.fetch();
      for_each_panel([&](auto&& panel) { panel.add(panel.scores(rule, keys), values); });
    });
    for_each_panel([&](auto&& panel) { panel.finish(out); });
    if (out.P)
      for_each_tile([&](Range keys) {
        for_each_panel(
            [&](auto&& panel) { panel.write_weights(panel.scores(rule, keys), keys, out); });
      });
  }

  /// Keys whose part of dQ is summed by itself: an eighth of them, but not much fewer than 512, in
  /// whole tiles.
  Index segment(Index S) const {
    constexpr Index tile = TiledBackward<float>::tile_keys;
    const Index segments = std::clamp<Index>(S / 512, 1, 8), keys = (S + segments - 1) / segments;
    return (keys + tile - 1) / tile * tile;
  }
  template <class T>
  Index backward_scratch(Index E, Index Ev, Index) const {
    return TiledBackward<T>::room(E, Ev, queries<T>(E, Ev));
  }
  template <class T, class R>
  void backward(const HeadInput<T>& in, const R& rule, const HeadGradient<T>& to, Range keys,
                T* scratch) const {
    TiledBackward<T>(in, to, queries<T>(in.Q.cols(), in.V.cols()), scratch)
        .run(rule, keys, segment(in.K.rows()));
  }

 private:
  template <class T>
  static constexpr Index scores_room() {
    return Panel<T, 3>::room(tile_keys + simd::lanes<T>) * panel_rows<T>;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
