#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_FEW_QUERIES_HPP
#define ATTN_ATTENTION_FEW_QUERIES_HPP

#include <attn/attention/kernel.hpp>
#include <attn/attention/loaded_rows.hpp>
#include <attn/attention/score_rows.hpp>
#include <attn/attention/stored_factor.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Keys and values that few queries read as they lie in memory.
template <class X, class T>
concept FewKeys = MatrixRows<X, T> || std::same_as<X, LoadedKeys<T>>;
template <class X, class T>
concept FewValues = MatrixRows<X, T> || std::same_as<X, LoadedValues<T>>;

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/attention/few_queries.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Some keys of a task, and their values.
template <class Task>
struct KeysAndValues {
  const Task& task;
  Range keys;

  Index size() const { return keys.size(); }
};

/// The products of attention for at most as many queries as a vector has lanes, as in decoding.
/// Lanes run along the keys, and along the columns of the values, so that all of them are used and
/// keys and values are read at the speed of memory; the results are then transposed to a panel of
/// queries. Each element is the same sum, in the same order, as in a panel's products.
template <class T>
class FewQueries {
  using Vector = simd::Vector<T>;
  using Square = ATTN_TARGET::Square<T>;
  static constexpr Index lanes = Vector::size, width = panel_rows<T>;

 public:
  /// `count` queries; `memory` is for `size(E)` elements.
  FewQueries(Index count, T* memory) : count_(count), rows_(memory), packed_(memory + rows_size) {}
  static constexpr Index size(Index E) {
    return rows_size + std::max(padded_size(E) * width, padded_size(tiled_keys) * lanes);
  }

  /// Writes factor · Q with a row for each query; rows are `padded_size(E)` elements apart.
  static void pack_queries(const MatrixPart<const T>& Q, T factor, T* packed) {
    for (Index i = 0; i < Q.rows; ++i, packed += padded_size(Q.columns)) {
      const T* const q = Q.data + i * Q.stride;
      Index e = 0;
      for (; e + lanes <= Q.columns; e += lanes)
        simd::store(packed + e, simd::load<Vector>(q + e) * Vector(factor));
      for (; e < Q.columns; ++e) packed[e] = q[e] * factor;
    }
  }
  static LeftFactor<T> packed_queries(const T* packed, Index E) {
    return {packed, padded_size(E), 1};
  }

  /// S = K Qᵀ, a panel of one vector, and the largest score of each query.
  template <class Task>
  void scores(const LeftFactor<T>& Q, const KeysAndValues<Task>& tile, T* S, T* largest) const {
    clear_other_rows();
    Vector m = simd::load<Vector>(largest);
    for (Index j = 0; j < tile.size();) {
      const KeyPanel panel = multiply_keys(Q, tile, j, [&](Index) { return keep_rows(); });
      for_each_column(panel.vectors, [&](Index lane, const Vector& s) {
        const Index key = panel.first + lane;
        if (key < 0 || key >= tile.size()) return;
        simd::store(S + key * lanes, s);
        m = max(m, s);
      });
      j = panel.first + panel.vectors * lanes;
    }
    simd::store(largest, m);
  }

  /// S = K Qᵀ with a row for each query, and the largest score of each.
  template <class Task>
  void scores(const LeftFactor<T>& Q, const KeysAndValues<Task>& tile, const ScoreRows<T>& S,
              T* largest) const {
    for (Index j = 0; j < tile.size();) {
      const KeyPanel panel = multiply_keys(Q, tile, j, [&](Index first) {
        return KeepRows{S.first + first, ScoreRows<T>::stride, count_};
      });
      j = panel.first + panel.vectors * lanes;
    }
    S.find_largest(count_, tile.size(), largest);
  }
  /// The weights P as a left factor: from a panel of one vector, or from a row for each query.
  static LeftFactor<T> left_factor(const PanelRows<T>& panel) {
    return {panel.data, 1, panel.stride};
  }
  static LeftFactor<T> left_factor(const ScoreRows<T>& rows) {
    return {rows.first, ScoreRows<T>::stride, 1};
  }
  /// O ← previous · O + added · P V, where O is a panel of one vector.
  template <class Task>
  void add_values(const LeftFactor<T>& P, const KeysAndValues<Task>& tile, T* O,
                  const simd::Array<Vector, 2>& factors) const {
    clear_other_rows();
    const Index columns = tile.task.V.columns(), whole = columns / lanes * lanes;
    for (Index e = 0; e < columns;) {
      const Panel<T> panel = Panel<T>::of(e < whole ? whole - e : lanes);
      if (e < whole) multiply_values(panel.width, P, tile, e);
      else multiply_rows(panel.width, P, last_columns(tile, e), keep_rows());
      for_each_column(panel.width, [&](Index i, const Vector& PV) {
        T* const o = O + (e + i) * lanes;
        simd::store(o, fma(simd::load<Vector>(o), factors[0], PV * factors[1]));
      });
      e += panel.size();
    }
  }

 private:
  static constexpr Index rows_size = lanes * width;

  /// Lanes without a query hold 0: what the memory held before may be denormal numbers, with which
  /// processors compute many times slower.
  void clear_other_rows() const { std::fill(rows_ + count_ * width, rows_ + rows_size, T(0)); }
  /// Keeps the rows of a product, `stride` apart.
  struct KeepRows {
    T* to;
    Index stride, count;
    template <class Block>
    void operator()(Index row, const Block& C) const {
      C.for_each([&](int r, int w,
                     const Vector& x) { simd::store(to + (row + r) * stride + w * lanes, x); },
                 count - row);
    }
  };
  KeepRows keep_rows() const { return {rows_, width, count_}; }

  /// A panel of keys of a tile.
  struct KeyPanel {
    Index first;  ///< the key in its first lane, which may lie before the tile
    int vectors;
  };
  /// Q Kᵀ for the panel that has key j of the tile; keep(its first key) takes the rows.
  template <class Task, class Keep>
  KeyPanel multiply_keys(const LeftFactor<T>& Q, const KeysAndValues<Task>& tile, Index j,
                         Keep&& keep) const {
    const auto& K = tile.task.K;
    if constexpr (MatrixRows<typename Task::KeyRows, T>) {
      const int vectors = Panel<T>::of(tile.size() - j).width;
      multiply_rows(vectors, Q, pack_panel(tile, j), keep(j));
      return {j, vectors};
    } else {
      const Index first = K.first_of_part(tile.keys.begin + j, width);
      K.with_key(first, [&](const auto* keys, const T* scales) {
        const auto factor = stored_factor<false>(keys, {key_block, K.columns()}, scales);
        const Pieces values{address_of_value(tile, std::max<Index>(first, 0), keys),
                            key_block * Index{sizeof *keys}};
        multiply_rows(Panel<T>::widest, Q, streamed(factor, values), keep(first - tile.keys.begin));
      });
      return {first - tile.keys.begin, Panel<T>::widest};
    }
  }
  template <class Right>
  static ReadAhead<WithOther<Right>, 3072> streamed(const Right& factor, const Pieces& other) {
    return {{factor, other}};
  }
  static std::uintptr_t address(const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory);
  }
  /// Where the value of key j of a task lies, or the first key after a tile; `otherwise`, which is
  /// being read, if that is not worth asking for.
  template <class Task>
  static std::uintptr_t address_of_value(const KeysAndValues<Task>& tile, Index j,
                                         const void* otherwise) {
    std::uintptr_t place = address(otherwise);
    if constexpr (!MatrixRows<typename Task::ValueRows, T>)
      tile.task.V.stored().with_row(j, [&](const auto* row, const T*) { place = address(row); });
    return place;
  }
  template <class Task>
  static std::uintptr_t address_of_next_key(const KeysAndValues<Task>& tile,
                                            const void* otherwise) {
    std::uintptr_t place = address(otherwise);
    const auto& K = tile.task.K;
    if constexpr (!MatrixRows<typename Task::KeyRows, T>)
      if (K.in_blocks() && tile.keys.end < K.rows())
        K.with_key(tile.keys.end, [&](const auto* key, const T*) { place = address(key); });
    return place;
  }
  /// rows ← Pᵀ V for some columns of V. While they are read, the caches are asked for the next
  /// keys, so that memory is never idle.
  template <class Task>
  void multiply_values(int vectors, const LeftFactor<T>& P, const KeysAndValues<Task>& tile,
                       Index column) const {
    const auto& V = tile.task.V;
    if constexpr (MatrixRows<typename Task::ValueRows, T>) {
      const MatrixPart<const T> part = V.part(tile.keys);
      multiply_rows(vectors, P, PanelRows<T>{part.data + column, part.stride, part.rows},
                    keep_rows());
    } else {
      V.stored().with_row(tile.keys.begin, [&]<class X>(const X* row, const T* scales) {
        const auto factor =
            stored_factor<true>(row + column, {V.stored().stride(), tile.size()}, scales);
        const auto before = static_cast<std::size_t>(tile.size() * column) * sizeof(X);
        const Pieces keys{address_of_next_key(tile, row) + before,
                          vectors * lanes * Index{sizeof(X)}};
        multiply_rows(vectors, P, WithOther<decltype(factor)>{factor, keys}, keep_rows());
      });
    }
  }
  /// Packs the keys from j on. While it does, the caches are asked for the keys of the next panel,
  /// and for the values of these.
  template <class Task>
  PanelRows<T> pack_panel(const KeysAndValues<Task>& tile, Index j) const {
    const MatrixPart<const T> K = tile.task.K.part(tile.keys);
    const Index size = Panel<T>::of(K.rows - j).size(), n = std::min(size, K.rows - j);
    for (Index row = 0; row < n; row += lanes)
      pack(rows_from(K, j + row), size, packed_ + row, [&](Index e) {
        const Index square = e / lanes, squares = (K.columns + lanes - 1) / lanes;
        const Range rows{j + row + square * lanes / squares,
                         j + row + (square + 1) * lanes / squares};
        prefetch_rows(K, {rows.begin + width, rows.end + width});
        if constexpr (MatrixRows<typename Task::ValueRows, T>)
          prefetch_rows(tile.task.V.part(tile.keys), rows);
      });
    return {packed_, size, K.columns};
  }
  static MatrixPart<const T> rows_from(const MatrixPart<const T>& X, Index first) {
    return {X.data + first * X.stride, X.stride, X.rows - first, X.columns};
  }
  /// Packs the first rows, a lane for each: `stride` elements for each column. between(e) is called
  /// before the square that begins with column e.
  template <class F>
  static void pack(const MatrixPart<const T>& X, Index stride, T* packed, F&& between) {
    for (Index e = 0; e < X.columns; e += lanes) {
      between(e);
      Square square = Square::load({X.data + e, X.stride, X.rows, X.columns - e});
      square.transpose();
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) simd::store(packed + (e + i) * stride, square.rows[i]);
    }
  }
  /// The columns of V from e on, fewer than a vector has lanes, with zeros after them.
  template <class Task>
  PanelRows<T> last_columns(const KeysAndValues<Task>& tile, Index e) const {
    const auto& V = tile.task.V;
    const Index n = V.columns() - e;
    std::fill_n(packed_, tile.size() * lanes, T(0));
    for (Index j = 0; j < tile.size(); ++j)
      for (Index i = 0; i < n; ++i) packed_[j * lanes + i] = V(tile.keys.begin + j, e + i);
    return {packed_, lanes, tile.size()};
  }
  /// A B, with a row for each query: one, a group of three that reads what is stored, or others.
  template <class Right>
  void multiply_rows(int vectors, const LeftFactor<T>& A, const Right& B,
                     const KeepRows& keep) const {
    if (count_ == 1) return multiply<1>(vectors, A, count_, B, keep);
    if constexpr (!std::same_as<Right, PanelRows<T>>)
      if (count_ == 3) return multiply<3>(vectors, A, count_, B, keep);
    multiply(vectors, A, count_, B, keep);
  }
  /// f(j, column j of the rows), for columns of so many vectors.
  template <class F>
  void for_each_column(int vectors, F&& f) const {
    for (int w = 0; w < vectors; ++w) {
      Square square = Square::load({rows_ + w * lanes, width, lanes, lanes});
      square.transpose();
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) f(w * lanes + i, square.rows[i]);
    }
  }

  Index count_;
  T *rows_, *packed_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
