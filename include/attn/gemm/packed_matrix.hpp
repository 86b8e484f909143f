#pragma once

#include <attn/core/tensor.hpp>
#include <attn/gemm/register_block.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The right factor B (k × n) of products, packed: panels of its columns, as wide as a register
/// block, each with its k rows one after the other, so that a product reads memory in order. The
/// last panel has the columns that are left; where they are a single vector, which is slowest, the
/// panel before gives it one of its three. A RightFactor refers to memory.
template <class T>
struct RightFactor {
  static constexpr Index width = detail::panel_rows<T>;

  const T* data;
  Index rows, columns, panel_size;

  Index panels() const { return panels(columns); }
  static constexpr Index panels(Index columns) { return (columns + width - 1) / width; }
  /// The first column of panel p of so many columns; of the panel after the last, their number.
  static constexpr Index begin(Index p, Index columns) {
    const Index left = columns - p * width;
    const bool single = p > 0 && left > 0 && left <= simd::lanes<T>;
    return std::min(single ? p * width - simd::lanes<T> : p * width, columns);
  }
  static constexpr Index size(Index p, Index columns) {
    return begin(p + 1, columns) - begin(p, columns);
  }
  /// Elements of a panel of so many rows, with memory for packing it by squares.
  static constexpr Index padded_panel_size(Index rows) { return detail::padded_size(rows) * width; }
  /// Row k of panel p, which the rows after it follow.
  const T* row(Index p, Index k) const { return data + p * panel_size + k * width; }
  /// One element of B.
  T operator()(Index k, Index column) const {
    const Index last = panels() - 1, p = column >= begin(last, columns) ? last : column / width;
    return row(p, k)[column - begin(p, columns)];
  }

  /// Packs panel p of Wᵀ, of a matrix W (n × k), to its place.
  template <class Matrix>
  static void pack_transposed(const Matrix& W, Index p, T* data) {
    detail::Panel<T, 3>::pack(W.middleRows(begin(p, W.rows()), size(p, W.rows())), T(1),
                              data + p * padded_panel_size(W.cols()));
  }
  /// Packs panel p of factor · B to its place.
  template <class Matrix>
  static void pack(const Matrix& B, T factor, Index p, T* data) {
    using Vector = simd::Vector<T>;
    const Index column = begin(p, B.cols()), columns = size(p, B.cols());
    T* panel_row = data + p * padded_panel_size(B.rows());
    for (Index k = 0; k < B.rows(); ++k, panel_row += width) {
      const T* const x = B.data() + k * B.outerStride() + column;
      for (Index j = 0; j < width; j += Vector::size) {
        const Index count = std::clamp<Index>(columns - j, 0, Vector::size);
        const Vector elements = count > 0 ? simd::load<Vector>(x + j, count, T(0)) : Vector(T(0));
        simd::store(panel_row + j, factor * elements);
      }
    }
  }
};

/// A right factor in memory of its own.
template <class T>
class PackedMatrix {
 public:
  static constexpr Index width = RightFactor<T>::width;

  PackedMatrix() = default;
  /// B = Wᵀ, of a layer's weight W (out, in) as PyTorch keeps it.
  static PackedMatrix transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0]);
    const auto W = weight.matrix();
    for (Index p = 0; p < B.factor_.panels(); ++p)
      RightFactor<T>::pack_transposed(W, p, B.memory_.data());
    return B;
  }
  /// B = Wᵀ, packed in parallel.
  static PackedMatrix parallel_transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0]);
    const auto W = weight.matrix();
    parallel_for(B.factor_.panels(),
                 [&](Index p) { RightFactor<T>::pack_transposed(W, p, B.memory_.data()); });
    return B;
  }
  /// B = X, packed in parallel.
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
      : factor_{nullptr, rows, columns, RightFactor<T>::padded_panel_size(rows)},
        memory_(Buffer<T>::for_overwrite(factor_.panels() * factor_.panel_size)) {}

  RightFactor<T> factor_{nullptr, 0, 0, 0};
  Buffer<T> memory_;
};

}  // namespace ATTN_ABI
}  // namespace attn
