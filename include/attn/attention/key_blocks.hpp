#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_KEY_BLOCKS_HPP
#define ATTN_ATTENTION_KEY_BLOCKS_HPP

#include <attn/gemm/register_block.hpp>
#include <attn/simd/widen.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Keys of a block, in which element e of all keys comes before element e + 1: whole panels of one
/// to three registers, whatever the instruction set.
inline constexpr Index key_block = 48;

/// Where element e of row j of a matrix lies, from its first element: in rows, `stride` elements
/// apart, or transposed in blocks of rows.
struct RowLayout {
  Index stride;
  Index block = 1;

  Index at(Index j, Index e) const { return j / block * block * stride + e * block + j % block; }
};

/// Rows that are stored one after the other.
template <class T, class Stored>
struct StoredRowsPart {
  const Stored* data;
  Index stride, rows, columns;
  const T* scales;

  T operator()(Index j, Index e) const {
    const T x = static_cast<T>(data[j * stride + e]);
    return scales ? scales[j] * x : x;
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/attention/key_blocks.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Keys of one head as T, transposed in blocks of `key_block` keys, as the cache keeps them: lanes
/// run along keys, so that few queries read them as they lie in memory.
template <class T>
class KeyBlocks {
 public:
  /// Key j has place `first` + j in the blocks.
  KeyBlocks(const T* data, Index first, Index columns)
      : data_(data), first_(first), columns_(columns) {}

  /// Keys as the rows of a left factor.
  struct Factor {
    const KeyBlocks* of;
    Index first;

    const T* at(Index r, Index k) const { return of->element(first + r, k); }
    T load(const T* cursor, Index i) const { return cursor[i * key_block]; }
    static Index run(Index, Index n) { return n; }
  };
  Factor tile(Range range) const { return {this, range.begin}; }

  /// Element 0 of key j; element e lies e · key_block later.
  const T* key(Index j) const { return element(j, 0); }
  /// Blocks are divided into parts of so many keys; the first key of that which has key j.
  Index first_of_part(Index j, Index keys) const { return j - (first_ + j) % keys; }

 private:
  const T* element(Index j, Index e) const {
    return data_ + RowLayout{columns_, key_block}.at(first_ + j, e);
  }

  const T* data_;
  Index first_, columns_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// A block as T, each key times its scale, where keys have one.
template <class T, class Stored>
void widen_block(const Stored* block, Index columns, const T* scales, T* to) {
  if (!scales) return widen(block, columns * key_block, T(1), to);
  for (Index e = 0; e < columns; ++e, block += key_block, to += key_block) {
#pragma GCC unroll 12
    for (Index i = 0; i < key_block; i += simd::lanes<T>)
      simd::store(to + i, simd::load<simd::Vector<T> >(scales + i) * simd::load_as<T>(block + i));
  }
}

/// At most a block of rows, transposed to a block of T. Lanes without a row keep what they hold.
template <class T, class Stored>
void transpose_to_block(const StoredRowsPart<T, Stored>& X, T* block) {
  using Vector = simd::Vector<T>;
  constexpr Index lanes = Vector::size;
  const Index whole_rows = X.rows / lanes * lanes, whole_columns = X.columns / lanes * lanes;
  for (Index j = 0; j < whole_rows; j += lanes)
    for (Index e = 0; e < whole_columns; e += lanes) {
      Square<T> square;
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) {
        square.rows[i] = simd::load_as<T>(X.data + (j + i) * X.stride + e);
        if (X.scales) square.rows[i] = Vector(X.scales[j + i]) * square.rows[i];
      }
      square.transpose();
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) simd::store(block + (e + i) * key_block + j, square.rows[i]);
    }
  for (Index j = 0; j < X.rows; ++j)
    for (Index e = j < whole_rows ? whole_columns : 0; e < X.columns; ++e)
      block[e * key_block + j] = X(j, e);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
