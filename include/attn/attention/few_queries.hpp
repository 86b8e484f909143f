#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_FEW_QUERIES_HPP
#define ATTN_ATTENTION_FEW_QUERIES_HPP

#include <attn/gemm/register_block.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

inline constexpr Index tiled_keys = 192;  ///< Bc of Tiled

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

/// Asks the caches for some rows of a matrix, in the order in which they lie in memory. They may
/// lie beyond its end.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch_rows(const MatrixPart<const T>& X, Range rows) {
  asm volatile("");  // g++ 12 removes calls of functions that do nothing but prefetch
  const auto begin = reinterpret_cast<std::uintptr_t>(X.data);
  for (Index row = rows.begin; row < rows.end; ++row)
    for (Index column = 0; column < X.columns; column += Index{64} / Index{sizeof(T)}) {
      const auto offset = static_cast<std::size_t>(row * X.stride + column) * sizeof(T);
      __builtin_prefetch(reinterpret_cast<const void*>(begin + offset));
    }
}

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
  /// Some keys, and where their values lie.
  struct KeysAndValues {
    MatrixPart<const T> K, V;
  };
  /// `count` queries; `memory` is for `size(E)` elements.
  FewQueries(Index count, T* memory) : count_(count), rows_(memory), packed_(memory + rows_size) {}
  static constexpr Index size(Index E) {
    return rows_size + std::max(padded_size(E) * width, padded_size(tiled_keys) * lanes);
  }

  /// S = K Qᵀ, and the largest score of each query. Q is a panel of one vector, and so is S. While
  /// it computes, the caches are asked for the keys of the next panel, and for the values of these.
  void scores(const PanelRows<T>& Q, const KeysAndValues& tile, T* S, T* largest) const {
    const auto& [K, V] = tile;
    Vector m = simd::load<Vector>(largest);
    for (Index key = 0; key < K.rows;) {
      const Panel<T> panel = Panel<T>::of(K.rows - key);
      const Index n = std::min(panel.size(), K.rows - key);
      for (Index row = 0; row < n; row += lanes)
        pack(rows_from(K, key + row), panel.size(), packed_ + row,
             [&, first = key + row](Index e) { prefetch_next(tile, first, e); });
      multiply_rows(panel.width, Q, {packed_, panel.size(), K.columns});
      for_each_column(panel.width, [&](Index j, const Vector& s) {
        simd::store(S + (key + j) * lanes, s);
        if (j < n) m = max(m, s);
      });
      key += n;
    }
    simd::store(largest, m);
  }

  /// O ← previous · O + added · P V, where P and O are panels of one vector.
  void add_values(const PanelRows<T>& P, const MatrixPart<const T>& V, T* O,
                  const simd::Array<Vector, 2>& factors) const {
    const Index whole = V.columns / lanes * lanes;
    for (Index e = 0; e < V.columns;) {
      const Panel<T> panel = Panel<T>::of(e < whole ? whole - e : lanes);
      const PanelRows<T> columns =
          e < whole ? PanelRows<T>{V.data + e, V.stride, V.rows} : last_columns(V, e);
      multiply_rows(panel.width, P, columns);
      for_each_column(panel.width, [&](Index i, const Vector& PV) {
        T* const o = O + (e + i) * lanes;
        simd::store(o, fma(simd::load<Vector>(o), factors[0], PV * factors[1]));
      });
      e += panel.size();
    }
  }

 private:
  static constexpr Index rows_size = lanes * width;

  /// Keeps the rows of a product.
  struct KeepRows {
    T* to;
    Index count;
    template <class Block>
    void operator()(Index row, const Block& C) const {
      C.for_each([&](int r, int w,
                     const Vector& x) { simd::store(to + (row + r) * width + w * lanes, x); },
                 count - row);
    }
  };
  /// What is asked of the caches with the square of K that begins at row `first`, column e: a part
  /// of the values of the square's keys, and of the keys a panel later.
  static EIGEN_ALWAYS_INLINE void prefetch_next(const KeysAndValues& tile, Index first, Index e) {
    const Index square = e / lanes, squares = (tile.K.columns + lanes - 1) / lanes;
    const Range rows{first + square * lanes / squares, first + (square + 1) * lanes / squares};
    prefetch_rows(tile.K, {rows.begin + width, rows.end + width});
    prefetch_rows(tile.V, rows);
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
  PanelRows<T> last_columns(const MatrixPart<const T>& V, Index e) const {
    for (Index j = 0; j < V.rows; ++j)
      simd::store(packed_ + j * lanes,
                  simd::load<Vector>(V.data + j * V.stride + e, V.columns - e, T(0)));
    return {packed_, lanes, V.rows};
  }
  /// rows ← Aᵀ B, with a row for each query. A is a panel of one vector.
  void multiply_rows(int vectors, const PanelRows<T>& A, const PanelRows<T>& B) const {
    const LeftFactor<T> queries{A.data, 1, A.stride};
    const KeepRows finish{rows_, count_};
    multiply(vectors, queries, count_, B, finish);
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
