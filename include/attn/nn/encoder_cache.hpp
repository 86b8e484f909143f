#pragma once

#include <attn/nn/key_value_cache.hpp>
#include <limits>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// What an encoder keeps between steps: the KV caches of its layers, for B sequences.
template <class T>
struct EncoderCache {
  std::vector<KeyValueCache<T>> layers;

  /// The positions of the longest sequence.
  Index length() const { return layers.empty() ? 0 : layers.front().length(); }
  /// The most positions of a sequence.
  Index capacity() const {
    return layers.empty() ? std::numeric_limits<Index>::max() : layers.front().capacity();
  }
  /// Errors: ShapeError if so many more positions exceed the capacity.
  void expect_capacity(Index added) const {
    if (!layers.empty()) layers.front().expect_capacity(added);
  }
  /// Whether `truncate` can remove the positions from `length` on.
  bool can_truncate(Index length) const {
    return std::all_of(layers.begin(), layers.end(),
                       [&](const auto& layer) { return layer.can_truncate(length); });
  }
  /// Removes the positions from `length` on, see KeyValueCache.
  void truncate(Index length) {
    for (auto& layer : layers) layer.truncate(length);
  }
  /// Replaces sequence b by sequence `from[b]`, for every b.
  void select(const std::vector<Index>& from) {
    for (auto& layer : layers) layer.select(from);
  }
  /// The sequences of some caches of one encoder, as one cache. Errors: ShapeError if there is
  /// none, or they differ.
  static EncoderCache join(const std::vector<EncoderCache>& caches) {
    if (caches.empty()) throw ShapeError("EncoderCache: join must have at least one cache");
    const std::size_t layers = caches.front().layers.size();
    for (const EncoderCache& cache : caches)
      if (cache.layers.size() != layers)
        throw ShapeError(
            "EncoderCache: join must have caches of equally many layers, but one has " +
            std::to_string(cache.layers.size()) + " and the first has " + std::to_string(layers));
    EncoderCache joined;
    for (std::size_t i = 0; i < layers; ++i) {
      std::vector<KeyValueCache<T>> layer;
      for (const EncoderCache& cache : caches) layer.push_back(cache.layers[i]);
      joined.layers.push_back(KeyValueCache<T>::join(layer));
    }
    return joined;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
