#pragma once

#include <attn/gemm/register_block.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A panel: some rows of a matrix, each in a lane of its own, so that what is computed along a row
/// is computed for W vectors of rows at once, and no lane ever needs another's. In memory it is the
/// transposed matrix: `size` numbers for each column.
template <class T, int W>
struct Panel {
  using V = simd::Vector<T>;
  static constexpr Index lanes = V::size, size = W * lanes;

  /// Columns to have memory for where n are meant: they are read and written in whole squares and
  /// blocks.
  static constexpr Index room(Index n) { return (n + 15) / 16 * 16; }

  /// panel = factor · Xᵀ. Lanes without a row hold 0.
  template <class Matrix>
  static void pack(const Matrix& X, T factor, T* panel) {
    squares(X, [factor, panel](const T* x, Index step, Index rows, Index columns, Index at) {
      simd::Array<T, lanes * lanes> whole;
      if (rows < lanes || columns < lanes) {
        for (Index i = 0; i < lanes; ++i)
          for (Index j = 0; j < lanes; ++j)
            whole[i * lanes + j] = i < rows && j < columns ? x[i * step + j] : T(0);
        x = whole.data, step = lanes;
      }
      simd::Array<V, lanes> v;
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) v[i] = simd::load<V>(x + i * step);
      simd::transpose(v);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) simd::store(panel + at + i * size, factor * v[i]);
    });
  }

  /// X = (panel · factor)ᵀ, a factor for each row; −0 becomes 0.
  template <class Matrix>
  static void unpack(const T* panel, const simd::Array<V, W>& factor, Matrix&& X) {
    squares(X, [&factor, panel](T* x, Index step, Index rows, Index columns, Index at) {
      simd::Array<V, lanes> v;
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i)
        v[i] = fma(simd::load<V>(panel + at + i * size), factor[at % size / lanes], T(0));
      simd::transpose(v);
      simd::Array<T, lanes * lanes> whole;
      const bool all = rows >= lanes && columns >= lanes;
      T* const to = all ? x : whole.data;
      const Index to_step = all ? step : lanes;
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) simd::store(to + i * to_step, v[i]);
      if (!all)
        for (Index i = 0; i < std::min(rows, lanes); ++i)
          std::copy_n(whole.data + i * lanes, std::min(columns, lanes), x + i * step);
    });
  }

 private:
  /// f(first number, step to the next row, rows and columns from there to X's end, place in the
  /// panel) for each square of X.
  template <class Matrix, class F>
  static void squares(Matrix& X, F&& f) {
    for (Index row = 0; row < std::min(X.rows(), size); row += lanes)
      for (Index column = 0; column < X.cols(); column += lanes)
        f(X.data() + row * X.outerStride() + column, X.outerStride(), X.rows() - row,
          X.cols() - column, column * size + row);
  }
};

/// Rows of the widest panel.
template <class T>
inline constexpr Index panel_rows = 3 * simd::lanes<T>;

/// Calls f with the kind of panel that is best for the first of so many rows: W = 3, and at the end
/// 2 or 1. (4 are twice 2: a single vector is slowest.) What is left, or less, is for the next
/// panels.
template <class T, class F>
auto with_panel(Index rows, F&& f) {
  const Index vectors = (rows + simd::lanes<T> - 1) / simd::lanes<T>;
  if (vectors == 1) return f(Panel<T, 1>{});
  if (vectors == 2 || vectors == 4) return f(Panel<T, 2>{});
  return f(Panel<T, 3>{});
}

}  // namespace ATTN_ABI
}  // namespace attn
