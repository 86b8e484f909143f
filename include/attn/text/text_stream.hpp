#pragma once

#include <attn/text/tokenizer.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Text from tokens that come one by one, as they are generated. It never splits a character of
/// UTF-8: the bytes of one that is not complete wait for the next token. Together the parts are
/// what Hugging Face's `decode` makes of all tokens, where each broken character is one U+FFFD.
///
///   attn::TextStream stream(tokenizer);
///   for (const attn::Index id : ids) std::cout << stream.add(id) << std::flush;
///   std::cout << stream.finish();
///
/// The tokenizer must outlive the stream.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer, const DecodeOptions& options = {})
      : tokenizer_(&tokenizer), options_(options) {}
  explicit TextStream(const Tokenizer&&, const DecodeOptions& = {}) = delete;

  /// The text that has become complete with one more token; it may be empty.
  /// Errors: OptionError if the id is not of the vocabulary.
  std::string add(Index id) {
    tokenizer_->expect_id("TextStream::add", id);
    if (options_.skip_special_tokens && tokenizer_->is_special(id)) return {};
    waiting_ += tokenizer_->piece(id, is_first_);
    is_first_ = false;
    std::string text;
    waiting_.erase(0, detail::append_well_formed(text, waiting_));
    return text;
  }

  /// The rest: U+FFFD if a character was not completed. Then the stream is as new.
  std::string finish() {
    const std::string text = detail::well_formed(waiting_);
    waiting_.clear();
    is_first_ = true;
    return text;
  }

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  std::string waiting_;
  bool is_first_ = true;
};

}  // namespace ATTN_ABI
}  // namespace attn
