#pragma once

#include <attn/core/tensor_view.hpp>
#include <attn/gemm/finite.hpp>
#include <attn/gemm/register_block.hpp>
#include <cmath>
#include <concepts>

namespace attn {
inline namespace ATTN_ABI {

/// Keys or values of one head: where their rows lie, and as what they are stored. A kernel computes
/// in T and reads them through this concept alone, as mdspan reads through its accessor:
///   rows.tile(range)               the rows of a range as the left factor of K Qᵀ
///   rows.transposed(range)         the same rows as columns, the left factor of Vᵀ Pᵀ
///   rows.finite(range)             whether all elements of a range of rows are finite
///   rows.part(range)               optional: the rows of a range as a part of a matrix of T
/// So rows may lie in pages, be stored in 16 bits, or in 8 bits with a scale for each row.
template <class X, class T>
concept KeyRows = std::copy_constructible<X> && requires(const X& rows, Range range) {
  { rows.rows() } -> std::same_as<Index>;
  { rows.columns() } -> std::same_as<Index>;
  { rows.tile(range) } -> LeftFactorOf<T>;
  { rows.transposed(range) } -> LeftFactorOf<T>;
  { rows.finite(range) } -> std::same_as<bool>;
};

/// Rows of a matrix in memory, evenly spaced, stored as `Stored`.
template <class T, class Stored = T>
class StridedRows {
 public:
  /// X has the rows from `first` on.
  explicit StridedRows(const TensorView<const Stored, 2>& X, Index first = 0)
      : StridedRows(X, first, first + X.shape()[0]) {}
  /// X has the rows from `first` on of `rows` rows, of which others are not asked for.
  StridedRows(const TensorView<const Stored, 2>& X, Index first, Index rows)
      : data_(X.data()),
        first_(first),
        rows_(rows),
        columns_(X.shape()[1]),
        stride_(X.strides()[0]) {}

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  LeftFactor<T, Stored> tile(Range range) const { return {row(range.begin), stride_, 1}; }
  LeftFactor<T, Stored> transposed(Range range) const { return {row(range.begin), 1, stride_}; }
  /// The same rows in memory, where they are stored as they are computed with.
  detail::MatrixPart<const T> part(Range range) const
    requires std::same_as<T, Stored>
  {
    return {row(range.begin), stride_, range.size(), columns_};
  }
  T operator()(Index j, Index e) const { return static_cast<T>(row(j)[e]); }
  bool finite(Range range) const {
    const Stored* const first = row(range.begin);
    if constexpr (std::same_as<T, Stored>) {
      return all_finite<T>({first, stride_, range.size(), columns_});
    } else {
      for (Index j = 0; j < range.size(); ++j)
        for (Index e = 0; e < columns_; ++e)
          if (!std::isfinite(static_cast<T>(first[j * stride_ + e]))) return false;
      return true;
    }
  }

 private:
  const Stored* row(Index j) const { return data_ + (j - first_) * stride_; }

  const Stored* data_;
  Index first_, rows_, columns_, stride_;
};

/// Keys or values of all heads of a call, (B, G, S, E): a tensor view, or another type with a
/// `shape()`, the `Scalar` that it is computed in, and `rows(b, g)`, which are KeyRows. Packed
/// sequences need `part(range)` too, the same heads with a range of their rows.
template <class X>
concept KeyHeads = requires(const X& heads, Index i) {
  typename X::Scalar;
  { heads.shape() } -> std::convertible_to<Shape<4>>;
  { heads.rows(i, i) } -> KeyRows<typename X::Scalar>;
};

namespace detail {

/// Rows that lie in memory as a matrix of T.
template <class X, class T>
concept MatrixRows = requires(const X& rows, Range range) {
  { rows.part(range) } -> std::same_as<MatrixPart<const T>>;
};

/// The rows of one head.
template <class T, class Stored>
StridedRows<T, Stored> head_rows(const TensorView<const Stored, 4>& heads, Index b, Index g) {
  const Shape<4>& shape = heads.shape();
  const Shape<4>& strides = heads.strides();
  return StridedRows<T, Stored>(TensorView<const Stored, 2>(
      heads.data() + b * strides[0] + g * strides[1], {shape[2], shape[3]}, {strides[2], 1}));
}
template <class T, KeyHeads Heads>
auto head_rows(const Heads& heads, Index b, Index g) {
  return heads.rows(b, g);
}
template <class T, class Heads>
using HeadRows = decltype(head_rows<T>(std::declval<const Heads&>(), Index{}, Index{}));

/// A range of rows, and whether all their elements are finite: then a masked row need not be left
/// out, for 0 · V = 0.
template <class T, KeyRows<T> Rows>
class RowTile {
 public:
  RowTile(const Rows& rows, Range range) : rows_(rows), range_(range) {}

  /// The tile's rows from `begin` on, as the transposed left factor.
  auto transposed(Index begin) const {
    return rows_.transposed(Range{range_.begin + begin, range_.end});
  }
  Range range() const { return range_; }
  /// Computed on first use.
  bool finite() {
    if (!asked_) finite_ = rows_.finite(range_);
    asked_ = true;
    return finite_;
  }

 private:
  const Rows& rows_;
  Range range_;
  bool asked_ = false, finite_ = false;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn
