#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_TRANSPOSE_HPP
#define ATTN_GEMM_TRANSPOSE_HPP

#include <algorithm>
#include <attn/core/buffer.hpp>
#include <attn/core/range.hpp>
#include <attn/core/tensor_view.hpp>
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
/// Some rows of a tensor, or of a matrix of Eigen.
template <class T>
MatrixPart<T> part_of(const TensorView<T, 2>& X, Range rows) {
  return {X.data() + rows.begin * X.strides()[0], X.strides()[0], rows.size(), X.shape()[1]};
}
template <class Matrix>
MatrixPart<const typename Matrix::Scalar> part_of(const Eigen::DenseBase<Matrix>& of, Range rows) {
  const Matrix& X = of.derived();
  return {X.data() + rows.begin * X.outerStride(), X.outerStride(), rows.size(), X.cols()};
}

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/transpose.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Xᵀ of a contiguous matrix X, for products with Xᵀ on the left: read across its rows, a left
/// factor is slow.
template <class T>
Buffer<T> parallel_transpose(const T* X, Index rows, Index columns) {
  auto transposed = Buffer<T>::for_overwrite(rows * columns);
  const detail::MatrixPart<const T> matrix{X, columns, rows, columns};
  parallel_for(ATTN_DISPATCH(transposed_parts<T>(columns)), [&](Index part) {
    ATTN_DISPATCH(transpose_part<T>(matrix, part, transposed.data()));
  });
  return transposed;
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

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

/// Columns of a part of X to rows of its transpose: columns 2·size·p … of X.
template <class T>
void transpose_part(const MatrixPart<const T>& X, Index p, T* output) {
  using Square = ATTN_TARGET::Square<T>;
  const Index part = 2 * Square::size;
  for (Index j = p * part; j < std::min(X.columns, (p + 1) * part); j += Square::size)
    for (Index i = 0; i < X.rows; i += Square::size) {
      Square square =
          Square::load({X.data + i * X.stride + j, X.stride, X.rows - i, X.columns - j});
      square.transpose();
      square.store({output + j * X.rows + i, X.rows, X.columns - j, X.rows - i});
    }
}
template <class T>
Index transposed_parts(Index columns) {
  const Index part = 2 * Square<T>::size;
  return (columns + part - 1) / part;
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
