#pragma once

#include <attn/core/tensor.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What queries attend to: keys (B, S, G·d_k) and values (B, S, G·d_v) of all heads, projected.
template <class T>
struct KeysAndValues {
  TensorView<const T, 3> keys, values;
};

/// Keys and values of B sequences that grow, with room for `capacity` positions of each.
template <class T>
class KeyValueCache {
 public:
  KeyValueCache(Index batch, Index capacity, Index key_width, Index value_width)
      : keys_({batch, capacity, key_width}), values_({batch, capacity, value_width}) {}

  Index batch() const { return keys_.shape()[0]; }
  Index capacity() const { return keys_.shape()[1]; }
  Index length() const { return length_; }

  /// Positions more. Errors: ShapeError where there is no room for them.
  void append(const TensorView<const T, 3>& keys, const TensorView<const T, 3>& values) {
    const Index end = length_ + keys.shape()[1];
    if (end > capacity())
      throw ShapeError("KeyValueCache: " + std::to_string(end) +
                       " positions must be at most the capacity, " + std::to_string(capacity()));
    copy(keys, keys_.slice(1, length_, end));
    copy(values, values_.slice(1, length_, end));
    length_ = end;
  }

  KeysAndValues<T> view() const {
    return {keys_.slice(1, 0, length_), values_.slice(1, 0, length_)};
  }

  /// Sequence b becomes what sequence `from[b]` was.
  void select(const std::vector<Index>& from) {
    bool each_as_it_was = static_cast<Index>(from.size()) == batch();
    for (std::size_t b = 0; b < from.size(); ++b)
      each_as_it_was = each_as_it_was && from[b] == static_cast<Index>(b);
    if (each_as_it_was) return;
    const auto selected = [&](const Tensor<T, 3>& old) {
      auto chosen = Tensor<T, 3>::for_overwrite(
          {static_cast<Index>(from.size()), capacity(), old.shape()[2]});
      for (Index b = 0; b < chosen.shape()[0]; ++b)
        copy(old[from[static_cast<std::size_t>(b)]].slice(0, 0, length_),
             chosen[b].slice(0, 0, length_));
      return chosen;
    };
    keys_ = selected(keys_), values_ = selected(values_);
  }

 private:
  Tensor<T, 3> keys_, values_;
  Index length_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
