#pragma once

#include <algorithm>
#include <attn/core/buffer.hpp>
#include <attn/parallel/executor.hpp>
#include <attn/simd/simd.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Some rows and columns of a row-major matrix.
template <class T>
struct MatrixPart {
  T* data;
  Index stride, rows, columns;
};

/// As many rows as a vector has lanes, one in each register: what is transposed at once.
template <class T>
struct Square {
  using Vector = simd::Vector<T>;
  static constexpr Index size = Vector::size;
  simd::Array<Vector, size> rows;

  /// The first rows and columns of a part; what lies beyond the part is 0.
  static Square load(const MatrixPart<const T>& part) {
    const T* data = part.data;
    Index stride = part.stride;
    simd::Array<T, size * size> whole;
    if (part.rows < size || part.columns < size) {
      for (Index i = 0; i < size; ++i)
        for (Index j = 0; j < size; ++j)
          whole[i * size + j] =
              i < part.rows && j < part.columns ? part.data[i * part.stride + j] : T(0);
      data = whole.data;
      stride = size;
    }
    Square square;
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) square.rows[i] = simd::load<Vector>(data + i * stride);
    return square;
  }
  void transpose() { simd::transpose(rows); }
  /// Writes what lies within the part.
  void store(const MatrixPart<T>& part) const {
    simd::Array<T, size * size> whole;
    const bool fits = part.rows >= size && part.columns >= size;
    T* const data = fits ? part.data : whole.data;
    const Index stride = fits ? part.stride : size;
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) simd::store(data + i * stride, rows[i]);
    if (fits) return;
    for (Index i = 0; i < std::min(part.rows, size); ++i)
      std::copy_n(whole.data + i * size, std::min(part.columns, size), part.data + i * part.stride);
  }
};

}  // namespace detail

/// Xᵀ of a contiguous matrix X, for products with Xᵀ on the left: read across its rows, a left
/// factor is slow.
template <class T>
Buffer<T> parallel_transpose(const T* X, Index rows, Index columns) {
  using Square = detail::Square<T>;
  constexpr Index part = 2 * Square::size;
  auto transposed = Buffer<T>::for_overwrite(rows * columns);
  T* const output = transposed.data();
  parallel_for((columns + part - 1) / part, [=](Index p) {
    for (Index j = p * part; j < std::min(columns, (p + 1) * part); j += Square::size)
      for (Index i = 0; i < rows; i += Square::size) {
        Square square = Square::load({X + i * columns + j, columns, rows - i, columns - j});
        square.transpose();
        square.store({output + j * rows + i, rows, columns - j, rows - i});
      }
  });
  return transposed;
}

}  // namespace ATTN_ABI
}  // namespace attn
