#pragma once

#include <algorithm>
#include <attn/nn/encoder_cache.hpp>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// What a language model keeps between steps: the tokens of B sequences so far, and the KV caches
/// of its layers. It can be copied, and truncated to continue a common beginning in another way.
template <class T>
struct LanguageModelCache {
  EncoderCache<T> layers;
  std::vector<std::vector<Index>> tokens;  ///< of each sequence

  Index batch() const { return std::ssize(tokens); }
  /// The tokens of the longest sequence.
  Index length() const {
    Index longest = 0;
    for (const auto& sequence : tokens) longest = std::max(longest, std::ssize(sequence));
    return longest;
  }
  /// Removes the tokens from `length` on. Errors: ShapeError unless each sequence has that many
  /// and, in a cache that keeps a window, still has what attention from there on may need.
  void truncate(Index length) {
    layers.truncate(length);
    for (auto& sequence : tokens) sequence.resize(static_cast<std::size_t>(length));
  }
  /// Replaces sequence b by sequence `from[b]`, for every b.
  void select(const std::vector<Index>& from) {
    if (detail::selects_each(from, batch())) return;
    layers.select(from);
    std::vector<std::vector<Index>> selected;
    for (const Index b : from) selected.push_back(tokens[static_cast<std::size_t>(b)]);
    tokens = std::move(selected);
  }
  /// The sequences of some caches of one model, as one cache.
  static LanguageModelCache join(const std::vector<LanguageModelCache>& caches) {
    std::vector<EncoderCache<T>> all;
    LanguageModelCache joined;
    for (const LanguageModelCache& cache : caches) {
      all.push_back(cache.layers);
      joined.tokens.insert(joined.tokens.end(), cache.tokens.begin(), cache.tokens.end());
    }
    joined.layers = EncoderCache<T>::join(all);
    return joined;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
