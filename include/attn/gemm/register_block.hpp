#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_REGISTER_BLOCK_HPP
#define ATTN_GEMM_REGISTER_BLOCK_HPP

#include <algorithm>
#include <attn/gemm/transpose.hpp>
#include <attn/simd/widen.hpp>
#include <concepts>

namespace attn {
inline namespace ATTN_ABI {

/// The left factor A of a product, as the register block reads it: `at(r, k)` is a cursor to
/// element k of row r, `load(cursor, i)` is element k + i of that row as a T, and `run(k, n)` says
/// for how many of the n elements from k on a cursor is good, in every row: at least 1, and all of
/// them where the elements are evenly spaced. So a factor may lie in pages, and be stored as
/// another type than the one that is computed with.
template <class A, class T>
concept LeftFactorOf = requires(const A& a, Index i) {
  { a.load(a.at(i, i), i) } -> std::same_as<T>;
  { a.run(i, i) } -> std::same_as<Index>;
};

/// A left factor of evenly spaced elements: neighbors in a column are `row_stride` apart, neighbors
/// in a row `stride`. `Stored` is the type in memory.
template <class T, class Stored = T>
struct LeftFactor {
  const Stored* data;
  Index row_stride, stride;

  const Stored* at(Index row, Index k) const { return data + row * row_stride + k * stride; }
  T load(const Stored* cursor, Index i) const { return static_cast<T>(cursor[i * stride]); }
  static Index run(Index, Index n) { return n; }
};

namespace detail {

/// Rows or columns to have memory for where n are meant: a panel is read and written in whole
/// squares and register blocks.
constexpr Index padded_size(Index n) { return (n + 15) / 16 * 16; }

/// Makes the compiler take a pointer for a new value in a register. Without it g++ addresses all
/// rows of a block from one base, with three more instructions in the inner loop.
template <class Cursor>
EIGEN_ALWAYS_INLINE void pin_pointer([[maybe_unused]] Cursor& cursor) {
  if constexpr (std::is_pointer_v<Cursor>) asm("" : "+r"(cursor));
}

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/register_block.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Rows of a block that is W vectors wide: as many as 16 registers can hold.
template <int W>
inline constexpr int block_rows = W == 1 ? 8 : 4;

/// A panel: some rows of a matrix, each in a lane of its own, so that what is computed along a row
/// is computed for a few vectors of rows at once, and no lane ever needs another's. In memory it is
/// the transposed matrix: `size()` elements for each column.
template <class T>
struct Panel {
  using Vector = simd::Vector<T>;
  static constexpr int widest = 3;
  static constexpr Index lanes = Vector::size;
  using Factors = simd::Array<Vector, widest>;

  int width;  ///< in vectors, 1 to 3

  /// The panel that is best for the first of so many rows: as wide as may be, and at the end 2 or
  /// 1. (Four vectors are taken as twice 2, because a single vector is slowest.) The rows that are
  /// left are for the next panels.
  static Panel of(Index rows) {
    const Index vectors = (rows + lanes - 1) / lanes;
    return {vectors == 4 ? 2 : static_cast<int>(std::min<Index>(vectors, widest))};
  }
  Index size() const { return width * lanes; }
  /// Rows of a register block that is as wide.
  Index height() const { return width == 1 ? block_rows<1> : block_rows<widest>; }

  /// panel = factor · Xᵀ. Lanes without a row hold 0.
  void pack(const MatrixPart<const T>& X, T factor, T* panel) const {
    const Vector factors = factor;
    for_each_square(
        X, [factors, panel, size = size()](const MatrixPart<const T>& part, int, Index at) {
          Square<T> square = Square<T>::load(part);
          square.transpose();
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i)
            simd::store(panel + at + i * size, factors * square.rows[i]);
        });
  }

  /// X = (panel · factor)ᵀ, with a factor for each row; −0 becomes 0.
  void unpack(const T* panel, const Factors& factor, const MatrixPart<T>& X) const {
    for_each_square(X, [panel, &factor, size = size()](const MatrixPart<T>& part, int w, Index at) {
      scaled({panel + at, size}, factor[w]).store(part);
    });
  }
  /// X = X + (panel · factor)ᵀ
  void unpack_add(const T* panel, const Factors& factor, const MatrixPart<T>& X) const {
    for_each_square(X, [panel, &factor, size = size()](const MatrixPart<T>& part, int w, Index at) {
      Square<T> sum = scaled({panel + at, size}, factor[w]);
      const Square<T> before = Square<T>::load({part.data, part.stride, part.rows, part.columns});
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) sum.rows[i] = before.rows[i] + sum.rows[i];
      sum.store(part);
    });
  }

 private:
  /// Calls f(part, vector, place in the panel) for each square of X; the part reaches to the end of
  /// X.
  template <class Element, class F>
  void for_each_square(const MatrixPart<Element>& X, F&& f) const {
    for (int w = 0; w < width && w * lanes < X.rows; ++w)
      for (Index column = 0; column < X.columns; column += lanes)
        f(MatrixPart<Element>{X.data + w * lanes * X.stride + column, X.stride, X.rows - w * lanes,
                              X.columns - column},
          w, column * size() + w * lanes);
  }
  /// Rows of a square, `stride` apart.
  struct SquareRows {
    const T* data;
    Index stride;
  };
  /// The transposed square, times a factor.
  static EIGEN_ALWAYS_INLINE Square<T> scaled(const SquareRows& panel, const Vector& factor) {
    Square<T> square;
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
      square.rows[i] = fma(simd::load<Vector>(panel.data + i * panel.stride), factor, T(0));
    square.transpose();
    return square;
  }
};

/// Rows of the widest panel.
template <class T>
inline constexpr Index panel_rows = Panel<T>::widest * Panel<T>::lanes;

/// R rows of W vectors, in registers.
template <class T, int W, int R = block_rows<W> >
struct RegisterBlock {
  using Vector = simd::Vector<T>;
  static constexpr int width = W, height = R;
  simd::Array<simd::Array<Vector, W>, R> rows;

  /// Calls f(r, w, vector) for each vector of the first `count` rows, unrolled.
  template <class F>
  EIGEN_ALWAYS_INLINE void for_each(F&& f, Index count = R) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      if (r >= count) return;
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) f(r, w, rows[r][w]);
    }
  }
};

/// The right factor B of a product with the register block: `count` rows, `stride` apart, of
/// elements that are stored as another type, or as T. `load(row, k, i)` are the elements from the
/// i-th on of row k, which lies at `row`.
template <class T, class Stored = T>
struct PanelRows {
  using Scalar = T;
  const Stored* data;
  Index stride, count;

  static simd::Vector<T> load(const Stored* row, Index, Index i) {
    return simd::load_as<T>(row + i);
  }
};

/// W vectors of a product, for each of its rows. Every matrix product of the kernels is this one.
///
///   C_rw = Σ_k A_rk B_kw,   k = 0 … B.count − 1, one after the other, from zero
///
/// R rows at a time are computed in registers; then finish(r, C) takes the block that begins with
/// row r. Where the last block has fewer rows, its last row stands for those that are missing. Each
/// element of A is broadcast to a vector. What a lane holds depends on its column of B and its row
/// of A alone, not on R, W or its place.
/// Cost: R·W multiply-adds for R + W loads. The function is not inlined, because its loop needs
/// every register.
template <int W, int R, class Factor, class Right, class Finish>
  requires LeftFactorOf<Factor, typename Right::Scalar>
[[gnu::noinline]] void multiply(const Factor A, Index rows, const Right B, const Finish finish) {
  using T = typename Right::Scalar;
  using Vector = simd::Vector<T>;
  for (Index row = 0; row < rows; row += R) {
    RegisterBlock<T, W, R> C;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) C.rows[r][w] = T(0);
    auto b = B.data;
    for (Index k = 0; k < B.count;) {
      const Index run = A.run(k, B.count - k);
      simd::Array<decltype(A.at(0, 0)), R> a;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        a[r] = A.at(std::min(row + r, rows - 1), k);
        pin_pointer(a[r]);
      }
      for (Index i = 0; i < run; ++i, b += B.stride) {
        simd::Array<Vector, W> B_k;
#pragma GCC unroll 16
        for (int w = 0; w < W; ++w) {
          Vector x = B.load(b, k + i, w * Vector::size);
          simd::pin(x);
          B_k[w] = x;
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const Vector A_rk = A.load(a[r], i);
#pragma GCC unroll 16
          for (int w = 0; w < W; ++w) C.rows[r][w] = fma(A_rk, B_k[w], C.rows[r][w]);
        }
      }
      k += run;
    }
    finish(row, C);
  }
}
/// The same for a panel B that is `width` vectors wide, `least_width` or more, in blocks of at most
/// `most_rows` rows.
template <int most_rows = 16, int least_width = 1, class Factor, class Right, class Finish>
void multiply(int width, const Factor& A, Index rows, const Right& B, const Finish& finish) {
  if constexpr (least_width == 1)
    if (width == 1) return multiply<1, std::min(most_rows, block_rows<1>)>(A, rows, B, finish);
  if (width == 2) multiply<2, std::min(most_rows, block_rows<2>)>(A, rows, B, finish);
  else multiply<3, std::min(most_rows, block_rows<3>)>(A, rows, B, finish);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
