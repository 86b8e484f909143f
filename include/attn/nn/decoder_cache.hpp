#pragma once

#include <attn/nn/key_value_cache.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// What a decoder layer keeps between decoding steps: the KV caches of the target positions so far,
/// and of the encoder's output.
template <class T>
struct DecoderLayerCache {
  KeyValueCache<T> self, memory;
};

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
