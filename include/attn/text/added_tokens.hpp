#pragma once

#include <algorithm>
#include <array>
#include <attn/text/normalizer.hpp>
#include <attn/text/vocabulary.hpp>
#include <map>

namespace attn {
inline namespace ATTN_ABI {

/// A token that is found in the text itself, before anything else: such as <|im_start|>. The names
/// are those of Hugging Face's `AddedToken`.
struct AddedToken {
  Index id = 0;
  bool special = true;       // it has a meaning for the model alone
  bool normalized = false;   // it is found in the normalized text
  bool lstrip = false;       // the spaces before it belong to it
  bool rstrip = false;       // and those after it
  bool single_word = false;  // it is found only where no letter or digit is beside it
};

namespace detail {

/// A part of a text: an added token, or what stands between two.
struct Segment {
  std::string_view text{};
  std::optional<Index> token{};
};

/// Finds the leftmost of some strings, and the longest of those that begin there.
class StringFinder {
 public:
  struct Match {
    std::size_t at = 0, length = 0, index = 0;
  };

  void add(std::string_view text, std::size_t index) {
    std::size_t node = 0;
    for (const char byte : text) {
      const auto [child, is_new] = nodes_[node].children.emplace(byte, nodes_.size());
      node = child->second;
      if (is_new) nodes_.emplace_back();
    }
    nodes_[node].index = index;
    begins_[static_cast<unsigned char>(text.front())] = true;
  }

  std::optional<Match> find(std::string_view text, std::size_t from) const {
    for (; from < text.size(); ++from) {
      if (!begins_[static_cast<unsigned char>(text[from])]) continue;
      if (const auto match = longest_at(text, from)) return match;
    }
    return std::nullopt;
  }

 private:
  struct Node {
    std::map<char, std::size_t> children{};
    std::optional<std::size_t> index{};
  };

  std::optional<Match> longest_at(std::string_view text, std::size_t from) const {
    std::optional<Match> longest;
    std::size_t node = 0;
    for (std::size_t end = from; end < text.size(); ++end) {
      const auto child = nodes_[node].children.find(text[end]);
      if (child == nodes_[node].children.end()) break;
      node = child->second;
      if (nodes_[node].index) longest = Match{from, end + 1 - from, *nodes_[node].index};
    }
    return longest;
  }

  std::vector<Node> nodes_{1};
  std::array<bool, 256> begins_{};
};

/// Added tokens that are found in the same text: as it is, or normalized.
class AddedTokenFinder {
 public:
  /// `content` is how the token is written in that text.
  void add(const AddedToken& token, std::string_view content) {
    finder_.add(content, tokens_.size());
    tokens_.push_back(token);
  }

  /// The text in parts, none of them empty. Special tokens are plain text if `splits_special`.
  std::vector<Segment> segments(std::string_view text, bool splits_special) const {
    std::vector<Segment> result;
    std::size_t done = 0;
    std::size_t from = 0;
    const auto add = [&](std::size_t begin, std::size_t end, std::optional<Index> token) {
      if (begin < end) result.push_back({text.substr(begin, end - begin), token});
    };
    while (const auto match = finder_.find(text, from)) {
      const AddedToken& token = tokens_[match->index];
      from = match->at + match->length;
      if (token.special && splits_special) continue;
      if (token.single_word && !is_single(text, *match)) continue;
      std::size_t begin = match->at;
      if (token.lstrip) begin = std::max(done, begin - spaces_before(text.substr(0, begin)));
      add(done, begin, std::nullopt);
      done = from + (token.rstrip ? spaces_after(text.substr(from)) : 0);
      add(begin, done, token.id);
    }
    add(done, text.size(), std::nullopt);
    return result;
  }

 private:
  static bool is_single(std::string_view text, const StringFinder::Match& match) {
    const std::string_view before = text.substr(0, match.at);
    const std::string_view after = text.substr(match.at + match.length);
    return (before.empty() || !is_word_character(last_character(before).value)) &&
           (after.empty() || !is_word_character(first_character(after).value));
  }
  static std::size_t spaces_before(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size()) {
      const Character last = last_character(text.substr(0, text.size() - length));
      if (last.kind != CharacterKind::space) break;
      length += last.length;
    }
    return length;
  }
  static std::size_t spaces_after(std::string_view text) {
    return run_length(text,
                      [](const Character& next) { return next.kind == CharacterKind::space; });
  }

  StringFinder finder_;
  std::vector<AddedToken> tokens_;
};

/// The added tokens of a tokenizer: some are found in the text as it is, the others in what is left
/// of it, normalized.
class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
              const std::vector<Normalizer>& normalizers) {
    for (const AddedToken& token : tokens) {
      const std::string& content = vocabulary.token(token.id);
      if (!token.normalized) plain_.add(token, content);
      else if (const std::string text = detail::normalized(normalizers, content); !text.empty()) {
        normalized_.add(token, text);
        normalized_contents_[token.id] = text;
      }
    }
  }

  /// What a token stands for: `content`, or what is left of it in a normalized text.
  const std::string& content_of(Index id, const std::string& content) const {
    const auto normalized = normalized_contents_.find(id);
    return normalized == normalized_contents_.end() ? content : normalized->second;
  }

  /// Calls `use` with each part of a well-formed text; what is no token is normalized.
  template <class Use>
  void for_each_segment(std::string_view text, const std::vector<Normalizer>& normalizers,
                        bool splits_special, const Use& use) const {
    for (const Segment& outer : plain_.segments(text, splits_special)) {
      if (outer.token) {
        use(outer);
        continue;
      }
      const std::string rest =
          normalizers.empty() ? "" : detail::normalized(normalizers, std::string(outer.text));
      const std::string_view normal = normalizers.empty() ? outer.text : std::string_view(rest);
      for (const Segment& inner : normalized_.segments(normal, splits_special)) use(inner);
    }
  }

 private:
  AddedTokenFinder plain_, normalized_;
  std::map<Index, std::string> normalized_contents_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
