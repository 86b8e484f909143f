#pragma once

#include <algorithm>
#include <attn/nn/key_value_cache.hpp>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// What a decoder layer keeps between decoding steps: the KV caches of the target positions so far,
/// and of the encoder's output.
template <class T>
struct DecoderLayerCache {
  KeyValueCache<T> self, memory;
};

namespace detail {

/// The result of `step`, which appends positions to the caches of layers. If it throws, the caches
/// are as they were.
template <class T, class Step>
auto append_or_restore(std::span<DecoderLayerCache<T>> layers, Step&& step) {
  const Index length = layers.empty() ? 0 : layers.front().self.length();
  try {
    return step();
  } catch (...) {
    for (auto& layer : layers) layer.self.truncate(std::min(length, layer.self.length()));
    throw;
  }
}

}  // namespace detail

/// What a decoder keeps between decoding steps.
template <class T>
struct DecoderCache {
  std::vector<DecoderLayerCache<T>> layers;

  /// Replaces sequence b by sequence `from[b]`, for every b. The memory stays.
  void select(const std::vector<Index>& from) {
    for (auto& layer : layers) layer.self.select(from);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
