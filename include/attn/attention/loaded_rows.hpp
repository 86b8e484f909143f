#pragma once

#include <attn/attention/stored_heads.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What reads a tile of keys and values: the queries of one vector, which take them as they are
/// stored, of one panel, or of several panels.
enum class TileReaders { vector, panel, panels };

/// Stored keys of one head, and those of a tile as T, once they are loaded.
template <class T>
class LoadedKeys {
 public:
  explicit LoadedKeys(const StoredRows<T>& stored) : stored_(stored), tile_(nullptr, 0, 0) {}

  /// Makes the keys of a tile readable, in memory for as many and a block more. Several panels
  /// read what is stored as T where it lies; one panel reads a copy, which is made at the speed of
  /// memory.
  void load(Range keys, TileReaders readers, T* memory) {
    const bool in_blocks = stored_.in_blocks();
    if (in_blocks && readers == TileReaders::vector) return;
    if (in_blocks && readers == TileReaders::panels && stored_.is_as_computed())
      tile_ = stored_.as_blocks();
    else tile_ = stored_.unpack_keys(keys, memory);
  }

  Index rows() const { return stored_.rows(); }
  Index columns() const { return stored_.columns(); }
  auto tile(Range range) const { return tile_.tile(range); }
  auto transposed(Range range) const { return stored_.transposed(range); }
  bool finite(Range range) const { return stored_.finite(range); }

  /// Whether few queries read keys as they are stored.
  bool in_blocks() const { return stored_.in_blocks(); }
  /// Blocks are divided into parts of so many keys; the first key of that which has key j.
  Index first_of_part(Index j, Index keys) const {
    return stored_.in_blocks() ? stored_.first_of_part(j, keys) : tile_.first_of_part(j, keys);
  }
  /// f(element 0 of key j, the scales from key j on, or null): in blocks, as they are stored or, if
  /// they are stored in rows, as T.
  template <class F>
  void with_key(Index j, F&& f) const {
    if (stored_.in_blocks()) stored_.with_row(j, f);
    else f(tile_.key(j), static_cast<const T*>(nullptr));
  }

 private:
  StoredRows<T> stored_;
  KeyBlocks<T> tile_;
};

/// Stored values of one head, and those of a tile as T, once they are loaded.
template <class T>
class LoadedValues {
 public:
  explicit LoadedValues(const StoredRows<T>& stored)
      : stored_(stored), tile_(TensorView<const T, 2>(nullptr, {0, 0})) {}

  /// Makes the values of a tile readable, as keys; in memory for as many. `masked`: some may be
  /// left out, which a vector of queries does not do as they are stored.
  void load(Range rows, TileReaders readers, bool masked, T* memory) {
    if (readers == TileReaders::vector && !masked) return;
    if (readers == TileReaders::panels && stored_.is_as_computed()) tile_ = stored_.as_rows();
    else tile_ = stored_.unpack(rows, memory);
  }

  Index rows() const { return stored_.rows(); }
  Index columns() const { return stored_.columns(); }
  auto tile(Range range) const { return tile_.tile(range); }
  auto transposed(Range range) const { return tile_.transposed(range); }
  bool finite(Range range) const { return stored_.finite(range); }
  T operator()(Index j, Index e) const { return stored_(j, e); }

  const StoredRows<T>& stored() const { return stored_; }

 private:
  StoredRows<T> stored_;
  StridedRows<T> tile_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
