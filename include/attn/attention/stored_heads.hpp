#pragma once

#include <attn/attention/kernel.hpp>
#include <attn/attention/key_blocks.hpp>
#include <attn/core/quantized.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Keys or values of one head in memory: stored as T or in fewer bits, in rows or, as a KV cache
/// keeps its keys, transposed in blocks. Tiled unpacks a tile of them at once, and then computes as
/// with rows of T: the result is bitwise that of numbers that were converted before.
template <class T>
class StoredRows {
 public:
  /// Where the rows lie: `data` is that of row −`first`. Rows of integers have scales.
  struct Memory {
    const void* data;
    detail::RowLayout layout;
    Index first, rows, columns;
    const T* scales;
  };
  /// Without a storage they are stored as T.
  StoredRows(std::optional<Storage> storage, const Memory& memory)
      : storage_(storage), memory_(memory) {}

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
    bool all = true;
    for (Index j = range.begin; j < range.end; ++j)
      with_row(j, [&](const auto* row, const T* scales) {
        all = all && (!scales || std::isfinite(*scales));
        for (Index e = 0; e < columns(); ++e)
          all = all && std::isfinite(static_cast<T>(row[e * memory_.layout.block]));
      });
    return all;
  }
  T operator()(Index j, Index e) const {
    T element = 0;
    with_row(j, [&](const auto* row, const T* scales) {
      element = static_cast<T>(row[e * memory_.layout.block]);
      if (scales) element = *scales * element;
    });
    return element;
  }

  bool in_blocks() const { return memory_.layout.block == detail::key_block; }
  /// The distance in memory of a row to the next, where they are not transposed.
  Index stride() const { return memory_.layout.stride; }
  /// Blocks are divided into parts of so many rows; the first row of that which has row j.
  Index first_of_part(Index j, Index rows) const { return j - (memory_.first + j) % rows; }
  /// f(row j as it is stored, the scales from row j on, or null)
  template <class F>
  void with_row(Index j, F&& f) const {
    with_data([&](const auto* data) {
      const Index row = memory_.first + j;
      f(data + memory_.layout.at(row, 0), memory_.scales ? memory_.scales + row : nullptr);
    });
  }

  /// Writes the rows of a range as T, one after the other; they are not transposed.
  StridedRows<T> unpack(Range range, T* memory) const {
    for (Index j = range.begin; j < range.end; ++j)
      with_row(j, [&](const auto* row, const T* scales) {
        detail::widen(row, columns(), scales ? *scales : T(1),
                      memory + (j - range.begin) * columns());
      });
    return StridedRows<T>(TensorView<const T, 2>(memory, {range.size(), columns()}), range.begin);
  }
  /// What is stored as T, where it lies: rows that are not transposed, and keys in blocks.
  StridedRows<T> as_rows() const {
    const T* const first = static_cast<const T*>(memory_.data) + memory_.first * stride();
    return StridedRows<T>(TensorView<const T, 2>(first, {rows(), columns()}, {stride(), 1}));
  }
  detail::KeyBlocks<T> as_blocks() const {
    return {static_cast<const T*>(memory_.data), memory_.first, columns()};
  }
  bool is_as_computed() const { return !storage_; }
  /// Writes the keys of a range as blocks of T, in memory for as many and a block more.
  detail::KeyBlocks<T> unpack_keys(Range range, T* memory) const {
    constexpr Index block = detail::key_block;
    const Index begin = in_blocks() ? first_of_part(range.begin, block) : range.begin;
    T* to = memory;
    for (Index j = begin; j < range.end; j += block, to += block * columns())
      with_row(j, [&]<class Stored>(const Stored* keys, const T* scales) {
        if (in_blocks()) {
          ATTN_DISPATCH(widen_block(keys, columns(), scales, to));
        } else {
          const Index count = std::min(block, range.end - j);
          const detail::StoredRowsPart<T, Stored> rows{keys, stride(), count, columns(), scales};
          ATTN_DISPATCH(transpose_to_block(rows, to));
        }
      });
    return {memory, -begin, columns()};
  }

 private:
  /// f(the data as what it is stored)
  template <class F>
  void with_data(F&& f) const {
    const void* const data = memory_.data;
    if (!storage_) f(static_cast<const T*>(data));
    else if (storage_ == Storage::bfloat16) f(static_cast<const bfloat16*>(data));
    else if (storage_ == Storage::float16) f(static_cast<const float16*>(data));
    else f(static_cast<const std::int8_t*>(data));
  }

  std::optional<Storage> storage_;
  Memory memory_;
};

/// Keys or values of all heads, (B, G, S, E), in memory: a view of bfloat16 or float16, a quantized
/// tensor, or what a KV cache holds.
template <class T>
class StoredHeads {
 public:
  using Scalar = T;

  /// `block`: how many rows are transposed together, as in detail::RowLayout.
  template <class Stored>
    requires StoredNumber<Stored> || std::same_as<Stored, T>
  explicit StoredHeads(const TensorView<const Stored, 4>& x, Index block = 1)
      : storage_(storage_of<Stored>()),
        element_size_(sizeof(Stored)),
        data_(reinterpret_cast<const std::byte*>(x.data())),
        shape_(x.shape()),
        strides_(x.strides()),
        block_(block) {}
  StoredHeads(const TensorView<const std::int8_t, 4>& codes, const TensorView<const T, 3>& scales,
              Index block = 1)
      : storage_(Storage::int8),
        element_size_(1),
        data_(reinterpret_cast<const std::byte*>(codes.data())),
        shape_(codes.shape()),
        strides_(codes.strides()),
        block_(block),
        scales_(scales.data()),
        scale_strides_(scales.strides()) {}

  const Shape<4>& shape() const { return shape_; }
  /// The same heads with a range of their rows.
  StoredHeads part(Range range) const {
    StoredHeads some = *this;
    some.first_ += range.begin;
    some.shape_[2] = range.size();
    return some;
  }
  StoredRows<T> rows(Index b, Index g) const {
    const Index head = b * strides_[0] + g * strides_[1];
    const T* const scales =
        scales_ ? scales_ + b * scale_strides_[0] + g * scale_strides_[1] : nullptr;
    return {storage_,
            {data_ + head * element_size_,
             {strides_[2], block_},
             first_,
             shape_[2],
             shape_[3],
             scales}};
  }

 private:
  template <class Stored>
  static std::optional<Storage> storage_of() {
    if constexpr (std::same_as<Stored, T>) return std::nullopt;
    else return std::same_as<Stored, bfloat16> ? Storage::bfloat16 : Storage::float16;
  }

  std::optional<Storage> storage_;
  Index element_size_;
  const std::byte* data_;
  Shape<4> shape_, strides_;
  Index block_, first_ = 0;
  const T* scales_ = nullptr;
  Shape<3> scale_strides_{};
};

namespace detail {

/// Rows that are unpacked before more than a few queries compute with them.
template <class X, class T>
concept UnpackedRows = std::same_as<X, StoredRows<T>>;

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
