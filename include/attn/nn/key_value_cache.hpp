#pragma once

#include <algorithm>
#include <attn/attention/tiled.hpp>
#include <attn/nn/cached_heads.hpp>
#include <functional>
#include <optional>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// Whether a selection of sequences leaves all where they are.
inline bool selects_each(const std::vector<Index>& from, Index batch) {
  if (std::ssize(from) != batch) return false;
  for (std::size_t b = 0; b < from.size(); ++b)
    if (from[b] != static_cast<Index>(b)) return false;
  return true;
}

}  // namespace detail

/// How many of the last positions attention under its rule may need, by default all, and as what
/// keys and values are stored, by default as they are computed with: as bfloat16 or float16, or as
/// int8, with a scale for each key and each value of a head.
struct CacheOptions {
  std::optional<Index> window = std::nullopt;
  std::optional<Storage> storage = std::nullopt;
};

/// The number G of key heads of a layer, their dimension d_k, and that of the values, d_v.
struct KeyValueHeads {
  Index count, key_dim, value_dim;
};

/// A KV cache: the projected keys (B, G, S, d_k) and values (B, G, S, d_v), for B sequences that
/// grow up to `capacity` positions, together or, after `join`, each by itself.
///
/// With a `window` it has memory for that many positions and some more, and forgets the first ones
/// when it is full: in whole tiles of the kernel, so that the sums over the others keep their
/// order, bitwise. Then no more than `most_at_once` positions can be appended at once.
template <class T>
class KeyValueCache {
 public:
  static constexpr Index most_at_once = Tiled::tile_keys;

  /// `shape` are B and the capacity.
  KeyValueCache(const Shape<2>& shape, const KeyValueHeads& heads, const CacheOptions& options)
      : capacity_(shape[1]),
        window_(options.window),
        keys_({shape[0], heads.count, rows(capacity_, options), heads.key_dim}, options.storage,
              detail::key_block),
        values_({shape[0], heads.count, rows(capacity_, options), heads.value_dim}, options.storage,
                1),
        sequences_(static_cast<std::size_t>(shape[0])) {}
  /// Copies what the sequences have, not the memory that is left.
  KeyValueCache(const KeyValueCache& other) : KeyValueCache(other, other.parts()) {}
  KeyValueCache& operator=(const KeyValueCache& other) { return *this = KeyValueCache(other); }
  KeyValueCache(KeyValueCache&&) = default;
  KeyValueCache& operator=(KeyValueCache&&) = default;
  ~KeyValueCache() = default;

  Index batch() const { return keys_.shape()[0]; }
  Index capacity() const { return capacity_; }
  /// Whether all sequences have the same length.
  bool is_even() const {
    return std::all_of(sequences_.begin(), sequences_.end(),
                       [&](const Sequence& s) { return s == sequences_.front(); });
  }
  /// The positions of sequence b, and the first of them that has not been forgotten. Errors:
  /// ShapeError if there is no such sequence.
  Index length(Index b) const { return sequence(b).end; }
  Index first(Index b) const { return batch() > 0 ? sequence(b).begin : 0; }
  /// The positions of the longest sequence.
  Index length() const {
    Index longest = 0;
    for (const Sequence& s : sequences_) longest = std::max(longest, s.end);
    return longest;
  }

  /// Errors: ShapeError if so many more positions exceed the capacity.
  void expect_capacity(Index added) const {
    if (length() + added > capacity())
      throw ShapeError("KeyValueCache: " + std::to_string(length() + added) +
                       " positions must be at most the capacity, " + std::to_string(capacity()));
  }
  /// Appends positions to every sequence. Errors: ShapeError if they exceed the capacity, or do not
  /// fit the cache or each other; the cache is then unchanged.
  void append(const TensorView<const T, 3>& keys, const TensorView<const T, 3>& values) {
    const Index added = keys.shape()[1];
    expect("keys", keys.shape(), {batch(), added, width(keys_)});
    expect("values", values.shape(), {batch(), added, width(values_)});
    expect_capacity(added);
    if (window_ && added > most_at_once)
      throw ShapeError("KeyValueCache: " + std::to_string(added) +
                       " positions at once must be at most " + std::to_string(most_at_once) +
                       " in a cache that keeps a window");
    for (Index b = 0; b < batch(); ++b) {
      forget_for(b, added);
      Sequence& s = sequence(b);
      const Range to{s.end - s.begin, s.end - s.begin + added};
      keys_.write(b, to, keys[b]);
      values_.write(b, to, values[b]);
      s.end += added;
    }
  }

  const std::optional<Storage>& storage() const { return keys_.storage(); }
  /// The keys of some sequences, (B, G, S, d_k). Errors: ShapeError if there are no such sequences,
  /// or they differ in their lengths.
  StoredHeads<T> keys(Range sequences) const {
    return keys_.heads(sequences, length_of(sequences));
  }
  /// Their values, (B, G, S, d_v).
  StoredHeads<T> values(Range sequences) const {
    return values_.heads(sequences, length_of(sequences));
  }
  /// Positions that a sequence has memory for.
  Index memory_length() const { return keys_.shape()[2]; }

  /// Whether `truncate` can remove the positions from `length` on.
  bool can_truncate(Index length) const {
    return std::all_of(sequences_.begin(), sequences_.end(), [&](const Sequence& s) {
      return length >= 0 && length <= s.end && keeps_enough(s, length);
    });
  }
  /// Removes the positions from `length` on. Errors: ShapeError unless each sequence has that many,
  /// and has not forgotten what attention from there on may need.
  void truncate(Index length) {
    for (const Sequence& s : sequences_) {
      if (length < 0 || length > s.end)
        throw ShapeError("KeyValueCache: length " + std::to_string(length) +
                         " must be at least 0 and at most the present length, " +
                         std::to_string(s.end));
      if (!keeps_enough(s, length))
        throw ShapeError("KeyValueCache: length " + std::to_string(length) +
                         " must be 0 or at least " + std::to_string(s.begin + window_.value_or(0)) +
                         ", for the positions before " + std::to_string(s.begin) + " are not kept");
    }
    for (Sequence& s : sequences_) s = {length > 0 ? s.begin : 0, length};
  }

  /// Removes the last positions of every sequence, that have just been appended.
  void remove_last(Index count) {
    for (Sequence& s : sequences_) s.end -= count;
  }

  /// Replaces sequence b by sequence `from[b]`, for every b. Errors: ShapeError if there is no such
  /// sequence.
  void select(const std::vector<Index>& from) {
    if (detail::selects_each(from, batch())) return;
    std::vector<Part> selected;
    for (const Index b : from) {
      expect_sequence(b);
      selected.push_back({this, b});
    }
    *this = KeyValueCache(*this, selected);
  }
  /// The sequences of some caches of one layer, as one cache. Errors: ShapeError if there is none,
  /// or they differ in their widths, capacity, window or storage.
  static KeyValueCache join(const std::vector<KeyValueCache>& caches) {
    if (caches.empty()) throw ShapeError("KeyValueCache: join must have at least one cache");
    std::vector<Part> parts;
    for (const KeyValueCache& cache : caches) {
      if (!cache.is_like(caches.front()))
        throw ShapeError(
            "KeyValueCache: join must have caches of equal widths, capacity, window and storage");
      for (Index b = 0; b < cache.batch(); ++b) parts.push_back({&cache, b});
    }
    return KeyValueCache(caches.front(), parts);
  }

 private:
  struct Sequence {
    Index begin = 0, end = 0;  // positions
    friend bool operator==(const Sequence&, const Sequence&) = default;
  };
  /// Sequence b of a cache.
  struct Part {
    const KeyValueCache* cache;
    Index b;
  };

  KeyValueCache(const KeyValueCache& like, const std::vector<Part>& parts)
      : capacity_(like.capacity_), window_(like.window_) {
    const auto shape_like = [B = std::ssize(parts)](const detail::CachedHeads<T>& heads) {
      const Shape<4>& shape = heads.shape();
      return Shape<4>{B, shape[1], shape[2], shape[3]};
    };
    keys_ = {shape_like(like.keys_), like.storage(), detail::key_block};
    values_ = {shape_like(like.values_), like.storage(), 1};
    for (Index b = 0; b < std::ssize(parts); ++b) {
      const auto& [cache, from] = parts[static_cast<std::size_t>(b)];
      sequences_.push_back(cache->sequence(from));
      keys_.copy(cache->keys_, from, b, cache->kept(from));
      values_.copy(cache->values_, from, b, cache->kept(from));
    }
  }

  /// Whether a sequence has what attention from position `length` on may need.
  bool keeps_enough(const Sequence& s, Index length) const {
    return length == 0 || s.begin <= std::max<Index>(0, length - window_.value_or(0));
  }
  /// All sequences.
  std::vector<Part> parts() const {
    std::vector<Part> all;
    for (Index b = 0; b < batch(); ++b) all.push_back({this, b});
    return all;
  }
  bool is_like(const KeyValueCache& other) const {
    return capacity_ == other.capacity_ && window_ == other.window_ &&
           storage() == other.storage() && width(keys_) == width(other.keys_) &&
           keys_.shape()[1] == other.keys_.shape()[1] && width(values_) == width(other.values_);
  }
  static void expect(const char* argument, const Shape<3>& got, const Shape<3>& wanted) {
    if (got != wanted)
      throw ShapeError(std::string("KeyValueCache: ") + argument + " " + to_string(got) +
                       " must be " + to_string(wanted) +
                       ", the batch of the cache, the length of the keys, the width of the cache");
  }
  /// Positions that there is memory for.
  static Index rows(Index capacity, const CacheOptions& options) {
    if (!options.window) return capacity;
    expect_option(*options.window >= 1, "KeyValueCache", "window", *options.window, "at least 1");
    if (*options.window >= capacity) return capacity;
    return std::min(capacity, *options.window + 3 * Tiled::tile_keys);
  }
  /// Makes place for positions, and keeps those that the first of them may need.
  void forget_for(Index b, Index added) {
    Sequence& s = sequence(b);
    if (s.end - s.begin + added <= memory_length()) return;
    const Index tiles = (s.end - *window_) / Tiled::tile_keys;
    const Range kept{tiles * Tiled::tile_keys - s.begin, s.end - s.begin};
    keys_.move_to_front(b, kept);
    values_.move_to_front(b, kept);
    s.begin += kept.begin;
  }
  void expect_sequence(Index b) const {
    if (b < 0 || b >= batch())
      throw ShapeError("KeyValueCache: sequence " + std::to_string(b) +
                       " must be at least 0 and less than the number of sequences, " +
                       std::to_string(batch()));
  }
  const Sequence& sequence(Index b) const {
    expect_sequence(b);
    return sequences_[static_cast<std::size_t>(b)];
  }
  Sequence& sequence(Index b) { return sequences_[static_cast<std::size_t>(b)]; }
  /// The positions of each of some sequences.
  Index length_of(Range sequences) const {
    if (sequences.size() <= 0) return 0;
    for (Index b = sequences.begin; b < sequences.end; ++b)
      if (sequence(b) != sequence(sequences.begin))
        throw ShapeError("KeyValueCache: sequence " + std::to_string(b) + " has " +
                         std::to_string(kept(b)) + " positions; it must have as many as sequence " +
                         std::to_string(sequences.begin) + ", " +
                         std::to_string(kept(sequences.begin)));
    return kept(sequences.begin);
  }
  /// The positions of sequence b that are not forgotten.
  Index kept(Index b) const { return sequence(b).end - sequence(b).begin; }
  /// G·d
  static Index width(const detail::CachedHeads<T>& heads) {
    return heads.shape()[1] * heads.shape()[3];
  }

  Index capacity_ = 0;
  std::optional<Index> window_;
  detail::CachedHeads<T> keys_, values_;
  std::vector<Sequence> sequences_;
};

namespace detail {

/// The result of `step`, which appends positions to the cache `growing` of each layer: a member, or
/// std::identity. If it throws, the caches are as they were.
template <class Layers, class Growing, class Step>
auto append_or_restore(Layers&& layers, Growing growing, Step&& step) {
  const auto length = [&](auto& layer) { return std::invoke(growing, layer).length(); };
  const Index before = layers.empty() ? 0 : length(layers.front());
  try {
    return step();
  } catch (...) {
    for (auto& layer : layers) std::invoke(growing, layer).remove_last(length(layer) - before);
    throw;
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
