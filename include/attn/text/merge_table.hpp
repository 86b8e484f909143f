#pragma once

#include <attn/text/vocabulary.hpp>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Two tokens that become one. The lower the rank, the earlier they do.
struct Merge {
  std::uint32_t rank = 0, token = 0;
};

/// The merges of a byte pair encoding by their two tokens: a hash table with linear probing.
class MergeTable {
 public:
  MergeTable() = default;
  /// Has place for `count` merges.
  explicit MergeTable(std::size_t count)
      : entries_(std::bit_ceil(2 * count + 2)), mask_(entries_.size() - 1) {}

  /// The merge of two tokens; null if there is none.
  const Merge* find(std::uint32_t left, std::uint32_t right) const {
    if (entries_.empty()) return nullptr;
    const Entry& entry = entries_[place_of(key_of(left, right))];
    return entry.key == vacant ? nullptr : &entry.merge;
  }

  /// Adds a merge. Returns that of the same two tokens, if there is one, and leaves it.
  const Merge* add(std::uint32_t left, std::uint32_t right, const Merge& merge) {
    Entry& entry = entries_[place_of(key_of(left, right))];
    if (entry.key != vacant) return &entry.merge;
    entry = {key_of(left, right), merge};
    return nullptr;
  }

 private:
  static constexpr std::uint64_t vacant = std::numeric_limits<std::uint64_t>::max();
  struct Entry {
    std::uint64_t key = vacant;
    Merge merge{};
  };

  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) {
    return (std::uint64_t{left} << 32) | right;
  }
  /// Where a key is, or where it belongs.
  std::size_t place_of(std::uint64_t key) const {
    std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    auto at = static_cast<std::size_t>(hash) & mask_;
    while (entries_[at].key != key && entries_[at].key != vacant) at = (at + 1) & mask_;
    return at;
  }

  std::vector<Entry> entries_;
  std::size_t mask_ = 0;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
