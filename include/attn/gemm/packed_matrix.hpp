#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_PACKED_MATRIX_HPP
#define ATTN_GEMM_PACKED_MATRIX_HPP

#include <attn/core/range.hpp>
#include <attn/core/tensor.hpp>
#include <attn/gemm/register_block.hpp>

#define ATTN_KERNELS <attn/gemm/packed_matrix.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The right factor B (k × n) of products, packed as the kernels of an instruction set read it.
template <class T>
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// B = Wᵀ, of a layer's weight W (out, in) as PyTorch keeps it. It is kept for many products, in
  /// pages that it shares with other weights and caches.
  static PackedMatrix transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0], Buffer<T>::in_shared_pages);
    for (Index p = 0; p < B.panels(); ++p) B.pack_transposed(weight, p);
    return B;
  }
  /// B = Wᵀ, packed in parallel.
  static PackedMatrix parallel_transposed(const TensorView<const T, 2>& weight) {
    PackedMatrix B(weight.shape()[1], weight.shape()[0]);
    parallel_for(B.panels(), [&](Index p) { B.pack_transposed(weight, p); });
    return B;
  }
  /// B = X, packed in parallel.
  template <class Matrix>
  static PackedMatrix parallel(const Matrix& X) {
    PackedMatrix B(X.rows(), X.cols());
    const detail::MatrixPart<const T> part = detail::part_of(X, {0, X.rows()});
    T* const data = B.memory_.data();
    parallel_for(B.panels(), [&](Index p) {
      ATTN_DISPATCH_TO(B.instruction_set_, RightFactor<T>::pack(part, T(1), p, data));
    });
    return B;
  }

  InstructionSet instruction_set() const { return instruction_set_; }
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  const T* data() const { return memory_.data(); }

  Index panels() const {
    return ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>::panels(columns_));
  }
  /// The columns of a panel.
  Range panel(Index p) const {
    const Index begin = ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>::begin(p, columns_));
    return {begin, begin + ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>::size(p, columns_))};
  }
  /// The columns of the widest panel.
  Index width() const { return ATTN_DISPATCH_TO(instruction_set_, panel_rows<T>); }
  /// One element of B.
  T operator()(Index k, Index column) const {
    return ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>{data(), rows_, columns_}(k, column));
  }

 private:
  using Allocate = Buffer<T>(Index size);
  PackedMatrix(Index rows, Index columns, Allocate& allocate = Buffer<T>::for_overwrite)
      : instruction_set_(attn::instruction_set()),
        rows_(rows),
        columns_(columns),
        memory_(allocate(
            ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>::packed_size(rows, columns)))) {}
  void pack_transposed(const TensorView<const T, 2>& W, Index p) {
    const auto part = detail::part_of(W, {0, W.shape()[0]});
    ATTN_DISPATCH_TO(instruction_set_, RightFactor<T>::pack_transposed(part, p, memory_.data()));
  }

  InstructionSet instruction_set_ = InstructionSet::native;
  Index rows_ = 0, columns_ = 0;
  Buffer<T> memory_;
};

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The right factor B (k × n) of products, packed: panels of its columns, as wide as a register
/// block, each with its k rows one after the other, so that a product reads memory in order. The
/// last panel has the columns that are left; where they are a single vector, which is slowest, the
/// panel before gives it one of its three. A RightFactor refers to memory.
template <class T>
struct RightFactor {
  static constexpr Index width = panel_rows<T>;

  const T* data;
  Index rows, columns;
  Index panel_size = padded_panel_size(rows);

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
  static constexpr Index padded_panel_size(Index rows) { return padded_size(rows) * width; }
  /// Elements of the packed form of a matrix of so many rows and columns.
  static constexpr Index packed_size(Index rows, Index columns) {
    return panels(columns) * padded_panel_size(rows);
  }
  /// Row k of panel p, which the rows after it follow.
  const T* row(Index p, Index k) const { return data + p * panel_size + k * width; }
  /// One element of B.
  T operator()(Index k, Index column) const {
    const Index last = panels() - 1, p = column >= begin(last, columns) ? last : column / width;
    return row(p, k)[column - begin(p, columns)];
  }

  /// Packs panel p of Wᵀ, of a matrix W (n × k), to its place.
  static void pack_transposed(const MatrixPart<const T>& W, Index p, T* data) {
    const T* const first = W.data + begin(p, W.rows) * W.stride;
    Panel<T>{Panel<T>::widest}.pack({first, W.stride, size(p, W.rows), W.columns}, T(1),
                                    data + p * padded_panel_size(W.columns));
  }
  /// Packs panel p of factor · B to its place.
  static void pack(const MatrixPart<const T>& B, T factor, Index p, T* data) {
    using Vector = simd::Vector<T>;
    const Index column = begin(p, B.columns), columns = size(p, B.columns);
    T* panel_row = data + p * padded_panel_size(B.rows);
    for (Index k = 0; k < B.rows; ++k, panel_row += width) {
      const T* const x = B.data + k * B.stride + column;
      for (Index j = 0; j < width; j += Vector::size) {
        const Index count = std::clamp<Index>(columns - j, 0, Vector::size);
        const Vector elements = count > 0 ? simd::load<Vector>(x + j, count, T(0)) : Vector(T(0));
        simd::store(panel_row + j, factor * elements);
      }
    }
  }
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
