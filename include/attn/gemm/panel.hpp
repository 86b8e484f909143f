#pragma once

#include <attn/gemm/transpose.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Rows or columns to have memory for where n are meant: a panel is read and written in whole
/// squares and register blocks.
constexpr Index padded_size(Index n) { return (n + 15) / 16 * 16; }

/// A panel: some rows of a matrix, each in a lane of its own, so that what is computed along a row
/// is computed for W vectors of rows at once, and no lane ever needs another's. In memory it is the
/// transposed matrix: `size` elements for each column.
template <class T, int W>
struct Panel {
  using Vector = simd::Vector<T>;
  using Factors = simd::Array<Vector, W>;
  static constexpr Index lanes = Vector::size, size = W * lanes;

  /// panel = factor · Xᵀ. Lanes without a row hold 0.
  template <class Matrix>
  static void pack(const Matrix& X, T factor, T* panel) {
    for_each_square(X, [factor, panel](const MatrixPart<const T>& part, Index at) {
      Square<T> square = Square<T>::load(part);
      square.transpose();
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) simd::store(panel + at + i * size, factor * square.rows[i]);
    });
  }

  /// X = (panel · factor)ᵀ, with a factor for each row; −0 becomes 0.
  template <class Matrix>
  static void unpack(const T* panel, const Factors& factor, Matrix&& X) {
    for_each_square(X, [&factor, panel](const MatrixPart<T>& part, Index at) {
      square_of(panel, factor, at).store(part);
    });
  }
  /// X = X + (panel · factor)ᵀ
  template <class Matrix>
  static void unpack_add(const T* panel, const Factors& factor, Matrix&& X) {
    for_each_square(X, [&factor, panel](const MatrixPart<T>& part, Index at) {
      Square<T> sum = square_of(panel, factor, at);
      const Square<T> before = Square<T>::load({part.data, part.stride, part.rows, part.columns});
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) sum.rows[i] = before.rows[i] + sum.rows[i];
      sum.store(part);
    });
  }

 private:
  /// Calls f(part, place in the panel) for each square of X; the part reaches to the end of X.
  template <class Matrix, class F>
  static void for_each_square(Matrix& X, F&& f) {
    using Element = std::remove_pointer_t<decltype(X.data())>;
    for (Index row = 0; row < std::min(X.rows(), size); row += lanes)
      for (Index column = 0; column < X.cols(); column += lanes)
        f(MatrixPart<Element>{X.data() + row * X.outerStride() + column, X.outerStride(),
                              X.rows() - row, X.cols() - column},
          column * size + row);
  }
  static EIGEN_ALWAYS_INLINE Square<T> square_of(const T* panel, const Factors& factor, Index at) {
    Square<T> square;
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
      square.rows[i] =
          fma(simd::load<Vector>(panel + at + i * size), factor[at % size / lanes], T(0));
    square.transpose();
    return square;
  }
};

/// Rows of the widest panel.
template <class T>
inline constexpr Index panel_rows = 3 * simd::lanes<T>;

/// Calls f with the kind of panel that is best for the first of so many rows: W = 3, and at the end
/// 2 or 1. (Four vectors are taken as twice 2, because a single vector is slowest.) The rows that
/// are left are for the next panels.
template <class T, class F>
auto with_panel(Index rows, F&& f) {
  const Index vectors = (rows + simd::lanes<T> - 1) / simd::lanes<T>;
  if (vectors == 1) return f(Panel<T, 1>{});
  if (vectors == 2 || vectors == 4) return f(Panel<T, 2>{});
  return f(Panel<T, 3>{});
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
