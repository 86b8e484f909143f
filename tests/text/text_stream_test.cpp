#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "tokenizer_cases.hpp"

using attn::Index;

namespace {

/// A byte-level tokenizer without merges: each byte is its own token.
const attn::Tokenizer& bytes() {
  static const attn::Tokenizer tokenizer = [] {
    attn::TokenizerDescription description;
    for (int byte = 0; byte < 256; ++byte)
      description.tokens.push_back(
          attn::detail::to_alphabet(std::string(1, static_cast<char>(byte))));
    return attn::Tokenizer(description);
  }();
  return tokenizer;
}

/// What a stream gives for each byte and at its end, with | between.
std::string parts(const std::string& text) {
  attn::TextStream stream(bytes());
  std::string result;
  for (const char byte : text) result += stream.add(static_cast<unsigned char>(byte)) + '|';
  return result + stream.finish();
}

}  // namespace

TEST(TextStream, NeverSplitsACharacter) {
  EXPECT_EQ(parts("aé€😀b"), "a||é|||€||||😀|b|");
  EXPECT_EQ(parts(""), "");
}

TEST(TextStream, ReplacesEachBrokenCharacterOnce) {
  EXPECT_EQ(parts("\xff"), "\ufffd|");
  EXPECT_EQ(parts("\x80\x80"), "\ufffd|\ufffd|");
  EXPECT_EQ(parts("\xe4\xb8"), "||\ufffd");                   // not completed
  EXPECT_EQ(parts("\xe4\xb8z"), "||\ufffdz|");                // broken off
  EXPECT_EQ(parts("\xe4\xe4\xb8\xad"), "|\ufffd||中|");       // by another character
  EXPECT_EQ(parts("\xed\xa0\x80"), "|\ufffd\ufffd|\ufffd|");  // a surrogate
  EXPECT_EQ(parts("\xc0\x80"), "\ufffd|\ufffd|");             // overlong
  EXPECT_EQ(parts("\xf0\x9f\x98"), "|||\ufffd");
  EXPECT_EQ(parts("\xf4\x90"), "|\ufffd\ufffd|");  // beyond U+10FFFF
}

TEST(TextStream, IsAsNewAfterItsEnd) {
  const attn::Tokenizer bert = small_tokenizer("bert");
  attn::TextStream stream(bert);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(stream.add(*bert.id("the")), "the");
    EXPECT_EQ(stream.add(*bert.id("cat")), " cat");
    EXPECT_EQ(stream.add(*bert.id("##s")), "s");
    EXPECT_EQ(stream.finish(), "");
  }
}

TEST(TextStream, SkipsSpecialTokensIfAsked) {
  const attn::Tokenizer tokenizer = small_tokenizer("gpt2");
  const auto ids = tokenizer.encode("a<|endoftext|>b");
  EXPECT_EQ(streamed(tokenizer, ids), "a<|endoftext|>b");
  EXPECT_EQ(streamed(tokenizer, ids, {.skip_special_tokens = true}), "ab");
  EXPECT_EQ(tokenizer.decode(ids), "a<|endoftext|>b");
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special_tokens = true}), "ab");
}

TEST(TextStream, GivesTheBytesOfAllTokensAsText) {
  // Every two bytes after every beginning of a character, as Rust and Python replace them: a
  // replacement character for each of the longest parts that begin a character.
  for (const std::string beginning : {"", "\xe4", "\xf0\x9f"})
    for (int first = 0; first < 256; ++first)
      for (int second = 0; second < 256; second += 7) {
        std::string text = beginning;
        text += static_cast<char>(first);
        text += static_cast<char>(second);
        std::string joined = parts(text);
        std::erase(joined, '|');
        std::string expected = attn::detail::well_formed(text);
        std::erase(expected, '|');
        EXPECT_EQ(joined, expected);
      }
}
