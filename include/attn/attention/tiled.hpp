#pragma once

#include <attn/attention/query_panel.hpp>

namespace attn::inline ATTN_ABI {

/// Attention by tiles, in memory that does not grow with L or S [FA2 Alg.1]: every tile of keys is read once for some panels of
/// queries, whose maxima, sums and outputs are brought up to date after each. The result is Reference's up to rounding.
/// What a query gets depends on it, its keys and values, and its rule alone: not on the other queries, on threads or on addresses.
/// Cost: 2·L·S·(E + Ev) floating-point operations, without those of tiles that the rule excludes. For float and E, Ev ≤ 128 some 0.2 MB
/// of scratch a thread; weights, if they are asked for, are half as much work again.
struct Tiled {
  static constexpr Index tile_keys = 192;    ///< Bc
  static constexpr Index tile_queries = 96;  ///< Br, about

  /// Queries of a task: panels of them, fewer where they are so wide that they would leave the cache.
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
      for (Index row = 0; row < in.Q.rows(); row += panel_rows<T>, memory += query_panel_room<T>(in.Q.cols(), in.V.cols()))
        with_panel<T>(in.Q.rows() - row, [&]<int W>(Panel<T, W>) { f(QueryPanel<T, W, R>(in, rule, row, memory, scratch)); });
    };
    const auto for_each_tile = [&](auto&& f) {
      for (Index j = 0; j < in.K.rows(); j += tile_keys) f(Range{j, std::min(j + tile_keys, in.K.rows())});
    };

    for_each_panel([](auto&& panel) { panel.begin(); });
    for_each_tile([&](Range keys) {
      std::optional<bool> known;
      const auto values_finite = [&] { return known ? *known : *(known = is_finite<T>(in.V.middleRows(keys.begin, keys.size()))); };
      for_each_panel([&](auto&& panel) { panel.add(keys, values_finite); });
    });
    for_each_panel([&](auto&& panel) { panel.finish(out); });
    if (out.P) for_each_tile([&](Range keys) { for_each_panel([&](auto&& panel) { panel.write_weights(keys, out); }); });
  }

 private:
  template <class T>
  static constexpr Index scores_room() {
    return Panel<T, 3>::room(tile_keys + simd::lanes<T>) * panel_rows<T>;
  }
  template <class T, class Matrix>
  static bool is_finite(const Matrix& X) {
    using V = simd::Vector<T>;
    auto finite = V(T(0)) == T(0);
    for (Index i = 0; i < X.rows(); ++i)
      simd::for_each_packet<T>(
          X.cols(), [&](Index j, Index n) { finite = finite & (abs(simd::load<V>(X.row(i).data() + j, n, T(0))) <= std::numeric_limits<T>::max()); });
    return !any(!finite);
  }
};

}  // namespace attn::inline ATTN_ABI
