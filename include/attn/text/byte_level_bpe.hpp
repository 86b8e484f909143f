#pragma once

#include <attn/text/byte_alphabet.hpp>
#include <attn/text/merge_table.hpp>
#include <queue>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

/// What a file says of a byte-level byte pair encoding, besides its tokens.
struct BytePairs {
  std::vector<std::pair<std::string, std::string>> merges{};  // the first merge comes first
  bool ignore_merges = false;         // a word that is a token is not composed (Llama 3)
  std::optional<Index> unknown = {};  // for bytes without a token, which are left out otherwise
};

namespace detail {

/// A word in parts while pairs of them merge: a doubly linked list in an array.
class MergingWord {
 public:
  explicit MergingWord(const MergeTable& merges) : merges_(&merges) {}

  void append(std::uint32_t token) {
    const auto at = static_cast<Index>(parts_.size());
    parts_.push_back({token, at - 1, at + 1});
  }

  /// Merges the pair of the lowest rank, the leftmost of several, until no pair merges.
  ///
  /// Cost: O(n log n) for n parts. Each merge removes a part and adds at most two pairs.
  void merge_all() {
    if (parts_.empty()) return;
    parts_.back().next = none;
    for (Index at = 0; at + 1 < static_cast<Index>(parts_.size()); ++at) push(at);
    while (!pairs_.empty()) {
      const Pair pair = pairs_.top();
      pairs_.pop();
      if (is_current(pair)) apply(pair);
    }
  }

  /// The parts that are left.
  void append_to(std::vector<Index>& ids) const {
    for (Index at = parts_.empty() ? none : 0; at != none; at = part(at).next)
      ids.push_back(static_cast<Index>(part(at).token));
  }

  void clear() { parts_.clear(); }

 private:
  static constexpr Index none = -1;
  static constexpr std::uint32_t merged = std::numeric_limits<std::uint32_t>::max();
  struct Part {
    std::uint32_t token = 0;
    Index previous = none, next = none;
  };
  struct Pair {
    std::uint32_t rank = 0;
    Index at = none;
    std::uint32_t left = 0, right = 0, token = 0;
    bool operator>(const Pair& other) const {
      return std::tie(rank, at) > std::tie(other.rank, other.at);
    }
  };

  Part& part(Index at) { return parts_[static_cast<std::size_t>(at)]; }
  const Part& part(Index at) const { return parts_[static_cast<std::size_t>(at)]; }

  /// Notes the part at `at` and the next one, if they merge.
  void push(Index at) {
    const std::uint32_t left = part(at).token;
    const std::uint32_t right = part(part(at).next).token;
    if (const Merge* const merge = merges_->find(left, right))
      pairs_.push({merge->rank, at, left, right, merge->token});
  }

  /// Whether the two parts still are what they were when the pair was noted.
  bool is_current(const Pair& pair) const {
    const Part& left = part(pair.at);
    return left.token == pair.left && left.next != none && part(left.next).token == pair.right;
  }

  void apply(const Pair& pair) {
    Part& left = part(pair.at);
    Part& right = part(left.next);
    left.token = pair.token;
    left.next = right.next;
    right.token = merged;
    if (left.next != none) {
      part(left.next).previous = pair.at;
      push(pair.at);
    }
    if (left.previous != none) push(left.previous);
  }

  const MergeTable* merges_;
  std::vector<Part> parts_;
  std::priority_queue<Pair, std::vector<Pair>, std::greater<>> pairs_;
};

/// Byte pair encoding of the bytes of a word   [Sennrich16; Radford19 §2.2]
/// Each byte is a token; pairs of tokens merge in the order of their ranks.
/// Errors: FileError, a sentence that begins with `where`, if a merge names a token that the
/// vocabulary lacks, or two merges have the same tokens.
class ByteLevelBpe {
 public:
  ByteLevelBpe(const BytePairs& pairs, const Vocabulary& vocabulary, const std::string& where)
      : merges_(pairs.merges.size()), ignore_merges_(pairs.ignore_merges) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto id = vocabulary.id(encode_utf8({&byte_alphabet[byte], 1}));
      byte_ids_[byte] = id ? id : pairs.unknown;
    }
    for (std::size_t i = 0; i < pairs.merges.size(); ++i) {
      const auto& [left, right] = pairs.merges[i];
      const std::string name = where + ": merge " + std::to_string(i);
      const auto token = [&](const std::string& text) {
        if (const auto id = vocabulary.id(text)) return static_cast<std::uint32_t>(*id);
        throw FileError(name + " names the token " + in_quotes(text) +
                        ", which the vocabulary lacks");
      };
      const Merge merge{static_cast<std::uint32_t>(i), token(left + right)};
      if (const Merge* const other = merges_.add(token(left), token(right), merge))
        throw FileError(name + " joins " + in_quotes(left) + " and " + in_quotes(right) +
                        ", as merge " + std::to_string(other->rank) + " does");
    }
  }

  /// Appends the ids of a word. A byte that has no token is left out, as tokenizers does.
  void encode(std::string_view word, const Vocabulary& vocabulary, std::vector<Index>& ids) const {
    if (ignore_merges_) {
      if (const auto id = vocabulary.id(to_alphabet(word))) {
        ids.push_back(*id);
        return;
      }
    }
    MergingWord parts(merges_);
    for (const char byte : word)
      if (const auto& id = byte_ids_[static_cast<unsigned char>(byte)])
        parts.append(static_cast<std::uint32_t>(*id));
    parts.merge_all();
    parts.append_to(ids);
  }

  /// The bytes for which a token stands.
  std::string decode(const std::string& token, bool) const { return from_alphabet(token); }

 private:
  MergeTable merges_;
  bool ignore_merges_;
  std::array<std::optional<Index>, 256> byte_ids_{};
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
