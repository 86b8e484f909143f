#pragma once

#include <attn/core/tensor.hpp>
#include <attn/gemm/panel.hpp>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The right factor B (k × n) of products, packed: panels of its columns, as many as a register
/// block is wide, each with its k rows one after the other, so that a product reads it straight on.
/// The last panel has what is left; where that is a single vector, which is slowest, the panel
/// before gives it one of its three. It refers to memory.
template <class T>
struct RightFactor {
  static constexpr Index width = panel_rows<T>;

  const T* data;
  Index rows, columns, panel_size;

  Index panels() const { return panels(columns); }
  static constexpr Index panels(Index columns) { return (columns + width - 1) / width; }
  /// Where panel p of so many columns begins, and where the last one ends.
  static constexpr Index begin(Index p, Index columns) {
    const Index left = columns - p * width;
    const bool single = p > 0 && left > 0 && left <= simd::lanes<T>;
    return std::min(single ? p * width - simd::lanes<T> : p * width, columns);
  }
  static constexpr Index size(Index p, Index columns) {
    return begin(p + 1, columns) - begin(p, columns);
  }
  /// Numbers of a panel, with room for its being packed by squares.
  static constexpr Index room(Index rows) { return Panel<T, 3>::room(rows) * width; }
  /// Row k of panel p, and from there on the rows after it.
  const T* row(Index p, Index k) const { return data + p * panel_size + k * width; }
  /// One number of B.
  T operator()(Index k, Index column) const {
    const Index last = panels() - 1, p = column >= begin(last, columns) ? last : column / width;
    return row(p, k)[column - begin(p, columns)];
  }

  /// Packs panel p of Wᵀ, from a matrix W (n × k), into its place.
  template <class Matrix>
  static void pack_transposed(const Matrix& W, Index p, T* data) {
    Panel<T, 3>::pack(W.middleRows(begin(p, W.rows()), size(p, W.rows())), T(1),
                      data + p * room(W.cols()));
  }
  /// Packs panel p of B, multiplied by a factor.
  template <class Matrix>
  static void pack(const Matrix& B, T factor, Index p, T* data) {
    using V = simd::Vector<T>;
    const Index column = begin(p, B.cols()), columns = size(p, B.cols());
    T* to = data + p * room(B.rows());
    for (Index k = 0; k < B.rows(); ++k, to += width)
      for (Index j = 0; j < width; j += V::size)
        simd::store(to + j, factor * (j < columns ? simd::load<V>(
                                                        B.data() + k * B.outerStride() + column + j,
                                                        std::min(V::size, columns - j), T(0))
                                                  : V(T(0))));
  }
};

/// Xᵀ of a matrix X without gaps: a left factor that lies across is read slowly.
template <class T>
Buffer<T> parallel_transpose(const T* X, Index rows, Index columns) {
  constexpr Index lanes = simd::lanes<T>, part = 2 * lanes;
  auto transposed = Buffer<T>::for_overwrite(rows * columns);
  T* const to = transposed.data();
  parallel_for((columns + part - 1) / part, [=](Index p) {
    for (Index column = p * part; column < std::min(columns, (p + 1) * part); column += lanes)
      for (Index row = 0; row < rows; row += lanes) {
        if (row + lanes <= rows && column + lanes <= columns) {
          simd::Array<simd::Vector<T>, lanes> square;
#pragma GCC unroll 16
          for (Index i = 0; i < lanes; ++i)
            square[i] = simd::load<simd::Vector<T>>(X + (row + i) * columns + column);
          simd::transpose(square);
#pragma GCC unroll 16
          for (Index i = 0; i < lanes; ++i) simd::store(to + (column + i) * rows + row, square[i]);
        } else {
          for (Index c = column; c < std::min(columns, column + lanes); ++c)
            for (Index r = row; r < std::min(rows, row + lanes); ++r)
              to[c * rows + r] = X[r * columns + c];
        }
      }
  });
  return transposed;
}

/// A right factor in memory of its own.
template <class T>
class PackedMatrix {
 public:
  static constexpr Index width = RightFactor<T>::width;

  PackedMatrix() = default;
  /// B = Wᵀ: of a layer's weight (out, in) as PyTorch keeps it.
  static PackedMatrix transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0]);
    const auto W = weight.matrix();
    for (Index p = 0; p < B.factor_.panels(); ++p)
      RightFactor<T>::pack_transposed(W, p, B.memory_.data());
    return B;
  }
  /// The same two, in parallel: of Wᵀ, and of B as it is.
  static PackedMatrix parallel_transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0]);
    const auto W = weight.matrix();
    parallel_for(B.factor_.panels(),
                 [&](Index p) { RightFactor<T>::pack_transposed(W, p, B.memory_.data()); });
    return B;
  }
  template <class Matrix>
  static PackedMatrix parallel(const Matrix& X) {
    PackedMatrix B(X.rows(), X.cols());
    parallel_for(B.factor_.panels(),
                 [&](Index p) { RightFactor<T>::pack(X, T(1), p, B.memory_.data()); });
    return B;
  }

  Index rows() const { return factor_.rows; }
  Index columns() const { return factor_.columns; }
  operator RightFactor<T>() const {
    return {memory_.data(), factor_.rows, factor_.columns, factor_.panel_size};
  }

 private:
  PackedMatrix(Index rows, Index columns)
      : factor_{nullptr, rows, columns, RightFactor<T>::room(rows)},
        memory_(Buffer<T>::for_overwrite(factor_.panels() * factor_.panel_size)) {}

  RightFactor<T> factor_{nullptr, 0, 0, 0};
  Buffer<T> memory_;
};

/// What a product is added to: a matrix of its shape, rows `step` apart; one row for all, a bias,
/// where `step` is 0; nothing where `data` is null.
template <class T>
struct Summand {
  const T* data = nullptr;
  Index step = 0;
};

/// C = start + A B, for `rows` rows and the columns of the panels first … last − 1 of B. C's rows
/// are C_step apart; C may be `start`. The sum over k is taken in blocks, each from zero, and the
/// blocks one after the other, so that rounding errors do not grow with k; what a row gets does not
/// depend on how many rows there are.
template <class T>
void multiply(const LeftFactor<T>& A, Index rows, const RightFactor<T>& B, Index first, Index last,
              const Summand<T>& start, T* C, Index C_step) {
  using V = simd::Vector<T>;
  constexpr Index width = RightFactor<T>::width, deepest = 512;
  const Index blocks = std::max<Index>(1, (B.rows + deepest - 1) / deepest),
              depth = (B.rows + blocks - 1) / blocks;
  for (Index p = first; p < last; ++p) {
    const Index column = RightFactor<T>::begin(p, B.columns),
                columns = RightFactor<T>::size(p, B.columns);
    for (Index block = 0; block < blocks; ++block) {
      const Index k = block * depth, n = std::min(depth, B.rows - k);
      const Summand<T> sum = block > 0 ? Summand<T>{C, C_step} : start;
      const T* const from = sum.data ? sum.data + column : nullptr;
      with_panel<T>(columns, [&]<int W>(Panel<T, W>) {
        const auto finish = [rows, columns, from, step = sum.step, C = C + column, C_step]<Index R>(
                                Index row, const simd::Array<simd::Array<V, W>, R>& AB) {
          constexpr Index last_vector = (W - 1) * V::size;
#pragma GCC unroll 16
          for (Index r = 0; r < R; ++r) {
            if (row + r >= rows) return;
            T* const to = C + (row + r) * C_step;
            const Index offset = (row + r) * step;
#pragma GCC unroll 16
            for (int w = 0; w < W - 1; ++w)
              simd::store(to + w * V::size,
                          from ? simd::load<V>(from + offset + w * V::size) + AB[r][w] : AB[r][w]);
            const Index left = columns - last_vector;
            simd::store(to + last_vector, left,
                        from ? simd::load<V>(from + offset + last_vector, left, T(0)) + AB[r][W - 1]
                             : AB[r][W - 1]);
          }
        };
        const LeftFactor<T> A_block{A.data + k * A.step, A.row_step, A.step};
        if (rows == 1) multiply<W, 1>(A_block, rows, B.row(p, k), width, n, finish);
        else multiply<W>(A_block, rows, B.row(p, k), width, n, finish);
      });
    }
  }
}

/// The whole product, in parallel, by blocks of rows and of columns, about 64 of them: enough to
/// share. Some columns of B are used for all rows before the next, so that weights that lie far
/// away are read once.
template <class T>
void parallel_multiply(const LeftFactor<T>& A, Index rows,
                       const std::type_identity_t<RightFactor<T>>& B,
                       const std::type_identity_t<Summand<T>>& start, T* C, Index C_step) {
  constexpr Index most_rows = 96, fewest_panels = 4;
  const Index row_blocks = (rows + most_rows - 1) / most_rows,
              wanted = std::max<Index>(64, 8 * num_threads());
  const Index column_blocks = std::min((B.panels() + fewest_panels - 1) / fewest_panels,
                                       row_blocks > 0 ? (wanted + row_blocks - 1) / row_blocks : 0);
  parallel_for(row_blocks * column_blocks, [&](Index task) {
    const Index row = task % row_blocks * most_rows, block = task / row_blocks;
    multiply(LeftFactor<T>{A.data + row * A.row_step, A.row_step, A.step},
             std::min(most_rows, rows - row), B, block * B.panels() / column_blocks,
             (block + 1) * B.panels() / column_blocks,
             {start.data ? start.data + row * start.step : nullptr, start.step}, C + row * C_step,
             C_step);
  });
}

}  // namespace ATTN_ABI
}  // namespace attn
