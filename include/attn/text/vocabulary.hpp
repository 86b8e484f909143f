#pragma once

#include <attn/core/config.hpp>
#include <attn/core/error.hpp>
#include <attn/files/utf8.hpp>
#include <attn/io/names.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A hash that takes a std::string and a std::string_view alike, so that a look-up copies nothing.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

/// The tokens of a tokenizer by id, and their ids.
/// Errors: FileError, a sentence that begins with `where`, if two ids have the same token, a token
/// is empty or not UTF-8.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(std::vector<std::string> tokens, const std::string& where)
      : tokens_(std::move(tokens)) {
    ids_.reserve(tokens_.size());
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::string& token = tokens_[i];
      const std::string name = where + ": token " + std::to_string(i);
      if (token.empty()) throw FileError(name + " is empty");
      if (!is_utf8(token)) throw FileError(name + " is not UTF-8");
      const auto [at, is_new] = ids_.emplace(token, static_cast<Index>(i));
      if (!is_new)
        throw FileError(name + " is " + in_quotes(token) + ", which token " +
                        std::to_string(at->second) + " is already");
    }
  }

  std::size_t size() const { return tokens_.size(); }
  bool contains(Index id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }
  const std::string& token(Index id) const { return tokens_[static_cast<std::size_t>(id)]; }
  std::optional<Index> id(std::string_view token) const {
    const auto at = ids_.find(token);
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  std::vector<std::string> tokens_;
  TextMap<Index> ids_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
