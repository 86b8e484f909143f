#pragma once

#include <attn/attention/kernel.hpp>
#include <attn/core/quantized.hpp>
#include <attn/simd/widen.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Keys or values of one head that are stored in 16 or 8 bits and computed with as T. Tiled unpacks
/// the rows of a tile at once, and then computes as with rows of T: the result is bitwise that of
/// numbers that were converted before.
template <class T>
class StoredRows {
 public:
  /// Rows of `columns` elements, `stride` elements apart, and for integers their scales.
  struct Memory {
    const void* data;
    Index rows, columns, stride;
    const T* scales;
  };
  StoredRows(Storage storage, const Memory& memory) : storage_(storage), memory_(memory) {}

  Index rows() const { return memory_.rows; }
  Index columns() const { return memory_.columns; }

  /// A left factor of single elements.
  struct Factor {
    const StoredRows* of;
    Index first;
    bool along_rows;

    struct Cursor {
      Index row, column;
    };
    Cursor at(Index r, Index k) const {
      return along_rows ? Cursor{first + k, r} : Cursor{first + r, k};
    }
    T load(const Cursor& at, Index i) const {
      return along_rows ? (*of)(at.row + i, at.column) : (*of)(at.row, at.column + i);
    }
    static Index run(Index, Index n) { return n; }
  };
  Factor tile(Range range) const { return {this, range.begin, false}; }
  Factor transposed(Range range) const { return {this, range.begin, true}; }
  bool finite(Range range) const {
    for (Index j = range.begin; j < range.end; ++j)
      for (Index e = 0; e < columns(); ++e)
        if (!std::isfinite((*this)(j, e))) return false;
    return true;
  }

  /// Writes a range of rows as T, one after the other.
  void unpack(Range range, T* to) const {
    for (Index j = range.begin; j < range.end; ++j, to += columns())
      with_row(j, [&](const auto* row, T scale) { detail::widen(row, columns(), scale, to); });
  }

 private:
  T operator()(Index j, Index e) const {
    T element = 0;
    with_row(j, [&](const auto* row, T scale) { element = scale * static_cast<T>(row[e]); });
    return element;
  }
  /// f(the elements of row j, their scale)
  template <class F>
  void with_row(Index j, F&& f) const {
    const Index at = j * memory_.stride;
    if (storage_ == Storage::bfloat16) f(static_cast<const bfloat16*>(memory_.data) + at, T(1));
    else if (storage_ == Storage::float16) f(static_cast<const float16*>(memory_.data) + at, T(1));
    else f(static_cast<const std::int8_t*>(memory_.data) + at, memory_.scales[j]);
  }

  Storage storage_;
  Memory memory_;
};

/// Keys or values of all heads, (B, G, S, E), that are stored in 16 or 8 bits: a view of bfloat16
/// or float16, or a quantized tensor.
template <class T>
class StoredHeads {
 public:
  using Scalar = T;

  template <StoredNumber Stored>
  explicit StoredHeads(const TensorView<const Stored, 4>& x)
      : storage_(std::same_as<Stored, bfloat16> ? Storage::bfloat16 : Storage::float16),
        element_size_(sizeof(Stored)),
        data_(reinterpret_cast<const std::byte*>(x.data())),
        shape_(x.shape()),
        strides_(x.strides()) {}
  StoredHeads(const TensorView<const std::int8_t, 4>& codes, const TensorView<const T, 3>& scales)
      : storage_(Storage::int8),
        element_size_(1),
        data_(reinterpret_cast<const std::byte*>(codes.data())),
        shape_(codes.shape()),
        strides_(codes.strides()),
        scales_(scales.data()),
        scale_strides_(scales.strides()) {}

  const Shape<4>& shape() const { return shape_; }
  /// The same heads with a range of their rows.
  StoredHeads part(Range range) const {
    StoredHeads some = *this;
    some.data_ += range.begin * strides_[2] * element_size_;
    some.shape_[2] = range.size();
    if (scales_) some.scales_ += range.begin;
    return some;
  }
  StoredRows<T> rows(Index b, Index g) const {
    const Index first = b * strides_[0] + g * strides_[1];
    const T* const scales = scales_ + b * scale_strides_[0] + g * scale_strides_[1];
    return {storage_, {data_ + first * element_size_, shape_[2], shape_[3], strides_[2], scales}};
  }

 private:
  Storage storage_;
  Index element_size_;
  const std::byte* data_;
  Shape<4> shape_, strides_;
  const T* scales_ = nullptr;
  Shape<3> scale_strides_{};
};

namespace detail {

/// What is stored in fewer bits than it is computed with.
template <class X>
inline constexpr bool is_stored = false;
template <StoredNumber Stored, int N>
inline constexpr bool is_stored<TensorView<Stored, N>> = true;
template <StoredNumber Stored, int N>
inline constexpr bool is_stored<TensorView<const Stored, N>> = true;
template <StoredNumber Stored, int N>
inline constexpr bool is_stored<Tensor<Stored, N>> = true;
template <class T, int N>
inline constexpr bool is_stored<Quantized<std::int8_t, T, N>> = true;

/// Its heads, with 4, 3 or 2 axes.
template <class T, class X>
StoredHeads<T> stored_heads(const X& x) {
  const auto of_view = [](const auto& all) {
    using Stored = std::remove_cvref_t<decltype(*all.data())>;
    const auto heads = with_leading_axes<4>(all);
    return StoredHeads<T>(TensorView<const Stored, 4>(heads));
  };
  return of_view(view(x));
}
template <class T, int N>
StoredHeads<T> stored_heads(const Quantized<std::int8_t, T, N>& x) {
  const TensorView<const std::int8_t, 4> codes = with_leading_axes<4>(x.codes.view());
  const TensorView<const T, 3> scales = with_leading_axes<3>(x.scales.view());
  return {codes, scales};
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
