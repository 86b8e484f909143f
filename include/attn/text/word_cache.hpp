#pragma once

#include <attn/text/vocabulary.hpp>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Where in the result of one call words have been encoded already: words repeat, and copying ids
/// takes less time than composing them.
class WordCache {
 public:
  /// Appends the ids of a word: those of its first occurrence, or what `encode` appends.
  template <class Encode>
  void append(std::vector<Index>& ids, std::string_view word, const Encode& encode) {
    if (const auto known = places_.find(word); known != places_.end()) {
      const auto [begin, count] = known->second;
      for (std::size_t i = begin; i < begin + count; ++i) ids.push_back(Index{ids[i]});
      return;
    }
    const std::size_t begin = ids.size();
    encode();
    if (word.size() <= longest && places_.size() < most)
      places_.emplace(word, std::pair(begin, ids.size() - begin));
  }

 private:
  static constexpr std::size_t longest = 32, most = 100'000;
  TextMap<std::pair<std::size_t, std::size_t>> places_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
