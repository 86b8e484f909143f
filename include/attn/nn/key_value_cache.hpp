#pragma once

#include <attn/core/tensor.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// A KV cache: the projected keys (B, S, G·d_k) and values (B, S, G·d_v) of all heads, for B
/// sequences that grow up to `capacity` positions.
template <class T>
class KeyValueCache {
 public:
  KeyValueCache(Index batch, Index capacity, Index key_width, Index value_width)
      : keys_({batch, capacity, key_width}), values_({batch, capacity, value_width}) {}

  Index batch() const { return keys_.shape()[0]; }
  Index capacity() const { return keys_.shape()[1]; }
  Index length() const { return length_; }

  /// Appends positions. Errors: ShapeError if they exceed the capacity, or do not fit the cache or
  /// each other; the cache is then unchanged.
  void append(const TensorView<const T, 3>& keys, const TensorView<const T, 3>& values) {
    const Index added = keys.shape()[1];
    expect("keys", keys.shape(), {batch(), added, keys_.shape()[2]});
    expect("values", values.shape(), {batch(), added, values_.shape()[2]});
    const Index end = length_ + added;
    if (end > capacity())
      throw ShapeError("KeyValueCache: " + std::to_string(end) +
                       " positions must be at most the capacity, " + std::to_string(capacity()));
    copy(keys, keys_.slice(1, length_, end));
    copy(values, values_.slice(1, length_, end));
    length_ = end;
  }

  TensorView<const T, 3> keys() const { return keys_.slice(1, 0, length_); }
  TensorView<const T, 3> values() const { return values_.slice(1, 0, length_); }

  /// Removes the positions from `length` on. Errors: ShapeError unless there are that many.
  void truncate(Index length) {
    if (length < 0 || length > length_)
      throw ShapeError("KeyValueCache: length " + std::to_string(length) +
                       " must be at least 0 and at most the present length, " +
                       std::to_string(length_));
    length_ = length;
  }

  /// Replaces sequence b by sequence `from[b]`, for every b.
  void select(const std::vector<Index>& from) {
    bool unchanged = static_cast<Index>(from.size()) == batch();
    for (std::size_t b = 0; b < from.size(); ++b)
      unchanged = unchanged && from[b] == static_cast<Index>(b);
    if (unchanged) return;
    Tensor<T, 3> keys = selected(keys_, from);
    values_ = selected(values_, from);
    keys_ = std::move(keys);
  }

 private:
  static void expect(const char* argument, const Shape<3>& got, const Shape<3>& wanted) {
    if (got != wanted)
      throw ShapeError(std::string("KeyValueCache: ") + argument + " " + to_string(got) +
                       " must be " + to_string(wanted) +
                       ", the batch of the cache, the length of the keys, the width of the cache");
  }
  Tensor<T, 3> selected(const Tensor<T, 3>& old, const std::vector<Index>& from) const {
    auto chosen =
        Tensor<T, 3>::for_overwrite({static_cast<Index>(from.size()), capacity(), old.shape()[2]});
    for (Index b = 0; b < chosen.shape()[0]; ++b) {
      const auto sequence = old[from[static_cast<std::size_t>(b)]];
      copy(sequence.slice(0, 0, length_), chosen[b].slice(0, 0, length_));
    }
    return chosen;
  }

  Tensor<T, 3> keys_, values_;
  Index length_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
