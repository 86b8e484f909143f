#pragma once

#include <attn/core/option.hpp>
#include <attn/text/tokenizer_description.hpp>
#include <attn/text/well_formed.hpp>
#include <attn/text/word_cache.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// How a text becomes tokens. The names are those of Hugging Face's tokenizers.
struct EncodeOptions {
  /// Adds what the model expects around a text, such as <|begin_of_text|>, or [CLS] and [SEP].
  bool add_special_tokens = true;
  /// Special tokens in the text are plain text. Use it for text by others, which could otherwise
  /// end its turn with <|im_end|> and begin another one.
  bool split_special_tokens = false;
  /// At most so many tokens, of which the last ones of the text are left out.
  Index max_length = std::numeric_limits<Index>::max();
};

struct DecodeOptions {
  bool skip_special_tokens = false;
};

/// Text to token ids and back, with the ids of Hugging Face's tokenizers. `load_tokenizer` makes
/// one from a file.
///
///   const attn::Tokenizer tokenizer = attn::load_tokenizer("tokenizer.json");
///   const std::vector<attn::Index> ids = tokenizer.encode("Hello, world!");
///   const std::string text = tokenizer.decode(ids);
///
/// Bytes that are not UTF-8 are encoded as U+FFFD, one for each broken character, because a model
/// has seen that character and never a broken one. So decoding is the inverse of encoding for UTF-8
/// without special tokens, unless the tokenizer normalizes it or lacks bytes.
///
/// Several threads may use one tokenizer at the same time.
/// Errors: FileError, a sentence that begins with `where`, if the description contradicts itself.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerDescription description, const std::string& where = "Tokenizer")
      : description_(std::move(description)),
        vocabulary_(std::move(description_.tokens), where),
        added_(detail::checked(description_, vocabulary_.size(), where).added_tokens, vocabulary_,
               description_.normalizers),
        is_special_(vocabulary_.size()),
        model_(model_of(description_, vocabulary_, where)) {
    for (const AddedToken& token : description_.added_tokens)
      is_special_[static_cast<std::size_t>(token.id)] = token.special;
    description_.model = {};
  }

  /// The ids of a text. Added tokens in it, such as <|im_start|>, are recognized.
  ///
  /// Errors: OptionError if `max_length` is less than the number of tokens around a text.
  ///
  /// Cost: O(n log n) for n bytes, whatever they are.
  std::vector<Index> encode(std::string_view text, const EncodeOptions& options = {}) const {
    std::vector<Index> ids;
    std::vector<Index> suffix;
    if (options.add_special_tokens) {
      ids = description_.prefix;
      suffix = description_.suffix;
    }
    const auto around = static_cast<Index>(ids.size() + suffix.size());
    expect_option(options.max_length >= around, "Tokenizer::encode", "max_length",
                  options.max_length,
                  "at least " + std::to_string(around) + ", the tokens around a text");
    if (is_utf8(text)) append(ids, text, options);
    else append(ids, detail::well_formed(text), options);
    const auto longest = static_cast<std::size_t>(options.max_length) - suffix.size();
    if (ids.size() > longest) ids.resize(longest);
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    return ids;
  }

  /// The bytes for which tokens stand. One token may be a part of a character of UTF-8; TextStream
  /// gives text, token by token.
  /// Errors: OptionError if an id is not of the vocabulary.
  std::string decode(const std::vector<Index>& ids, const DecodeOptions& options = {}) const {
    std::string bytes;
    bool is_first = true;
    for (const Index id : ids) {
      expect_id("Tokenizer::decode", id);
      if (options.skip_special_tokens && is_special(id)) continue;
      bytes += piece(id, is_first);
      is_first = false;
    }
    return bytes;
  }

  /// The number of tokens. Ids are those from 0 to size() − 1.
  Index size() const { return static_cast<Index>(vocabulary_.size()); }

  /// A token as its file spells it: "Ġthe" or "##ing".
  /// Errors: OptionError if the id is not of the vocabulary.
  const std::string& token(Index id) const {
    expect_id("Tokenizer::token", id);
    return vocabulary_.token(id);
  }

  /// The id of a token that is spelled so; nothing if there is none.
  std::optional<Index> id(std::string_view token) const { return vocabulary_.id(token); }

  /// Whether a token has a meaning for the model alone, such as <|im_start|>.
  /// Errors: OptionError if the id is not of the vocabulary.
  bool is_special(Index id) const {
    expect_id("Tokenizer::is_special", id);
    return is_special_[static_cast<std::size_t>(id)];
  }

  /// The token with which a sequence begins, if the tokenizer has one.
  std::optional<Index> begin() const { return description_.begin; }

  /// Whether the file says which token ends a sequence, or has one with a usual name for it.
  bool has_end() const { return description_.end.has_value(); }

  /// The token that ends a sequence, where generation stops.
  /// Errors: OptionError if it is not known.
  Index end() const {
    if (!description_.end)
      throw OptionError(
          "Tokenizer::end: the tokenizer's files do not say which token ends a sequence; name it "
          "by id(…)");
    return *description_.end;
  }

 private:
  friend class TextStream;
  using Model = std::variant<detail::ByteLevelBpe, detail::WordPiece>;

  static Model model_of(const TokenizerDescription& description,
                        const detail::Vocabulary& vocabulary, const std::string& where) {
    if (const auto* const pairs = std::get_if<BytePairs>(&description.model))
      return detail::ByteLevelBpe(*pairs, vocabulary, where);
    return detail::WordPiece(std::get<WordPieces>(description.model), vocabulary, where);
  }

  void expect_id(const char* function, Index id) const {
    if (!vocabulary_.contains(id))
      throw OptionError(std::string(function) + ": id = " + std::to_string(id) +
                        " must be from 0 to " + std::to_string(size() - 1));
  }

  /// The bytes of a token; some depend on whether it is the first of a text.
  std::string piece(Index id, bool is_first) const {
    const std::string& content = added_.content_of(id, vocabulary_.token(id));
    return std::visit([&](const auto& model) { return model.decode(content, is_first); }, model_);
  }

  /// Appends the ids of a well-formed text.
  void append(std::vector<Index>& ids, std::string_view text, const EncodeOptions& options) const {
    detail::WordCache cache;
    added_.for_each_segment(text, description_.normalizers, options.split_special_tokens,
                            [&](const detail::Segment& segment) {
                              if (segment.token) ids.push_back(*segment.token);
                              else append_words(ids, segment.text, cache);
                            });
  }

  void append_words(std::vector<Index>& ids, std::string_view text,
                    detail::WordCache& cache) const {
    std::string with_space;
    if (description_.add_prefix_space && !text.starts_with(' '))
      text = with_space.append(" ").append(text);
    detail::for_each_word(description_.pre_tokenizers, text, [&](std::string_view word) {
      cache.append(ids, word, [&] {
        std::visit([&](const auto& model) { model.encode(word, vocabulary_, ids); }, model_);
      });
    });
  }

  TokenizerDescription description_;  // without its tokens and its model
  detail::Vocabulary vocabulary_;
  detail::AddedTokens added_;
  std::vector<bool> is_special_;
  Model model_;
};

}  // namespace ATTN_ABI
}  // namespace attn
