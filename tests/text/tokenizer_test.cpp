#include <gmock/gmock.h>

#include <thread>

#include "support/expect_error.hpp"
#include "tokenizer_cases.hpp"

using attn::Index;
using Ids = std::vector<Index>;

namespace {

/// Bytes from their hexadecimal digits.
std::string bytes_of(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

attn::TokenizerDescription letters() {
  return {.tokens = {"a", "b", "c", "ab", "abc", "<s>", "</s>"},
          .added_tokens = {{.id = 5}, {.id = 6}},
          .model = attn::BytePairs{{{"a", "b"}, {"ab", "c"}}},
          .prefix = {5},
          .suffix = {6}};
}

}  // namespace

// The patterns: GPT-2's '(?:s|t|m|d|re|ve|ll), and Llama 3's (?i:'s|'t|'re|'ve|'m|'ll|'d).
TEST(Tokenizer, OfLlamaSplitsContractionsInAnyCaseAndGpt2sInLowerCaseAlone) {
  using attn::detail::first_word;
  for (const char* const text : {"'ll see", "'Ll see", "'lL see", "'LL see"})
    EXPECT_EQ(first_word(attn::LlamaWords{}, text), 3u) << text;
  EXPECT_EQ(first_word(attn::Gpt2Words{}, "'ll see"), 3u);
  EXPECT_EQ(first_word(attn::Gpt2Words{}, "'LL see"), 1u);
}

TEST(Tokenizer, GivesTheReferencesIdsForTextsOfAllKinds) {
  const nlohmann::json& texts = tokenizer_cases()["texts"];
  ASSERT_GE(texts.size(), 200u);
  ASSERT_EQ(tokenizer_cases()["tokenizers"].size(), 8u);
  for (const auto& [name, expected] : tokenizer_cases()["tokenizers"].items()) {
    const attn::Tokenizer tokenizer = small_tokenizer(name);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string text = texts[i];
      const Ids ids = tokenizer.encode(text);
      EXPECT_EQ(ids, expected["ids"][i].get<Ids>()) << name << ": " << texts[i].dump();
      const std::string decoded = expected["decoded"].value(std::to_string(i), text);
      EXPECT_EQ(streamed(tokenizer, ids, {.skip_special_tokens = true}), decoded)
          << name << ": " << texts[i].dump();
    }
  }
}

TEST(Tokenizer, TakesSpecialTokensOfATextAsPlainTextIfAsked) {
  const nlohmann::json& texts = tokenizer_cases()["texts"];
  for (const auto& [name, expected] : tokenizer_cases()["tokenizers"].items()) {
    const attn::Tokenizer tokenizer = small_tokenizer(name);
    ASSERT_GE(expected["plain"].size(), 5u);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Ids ids = expected["plain"].value(std::to_string(i), expected["ids"][i].get<Ids>());
      EXPECT_EQ(tokenizer.encode(texts[i].get<std::string>(), {.split_special_tokens = true}), ids)
          << name << ": " << texts[i].dump();
    }
  }
}

TEST(Tokenizer, EncodesBytesThatAreNotUtf8AsReplacementCharacters) {
  const nlohmann::json& broken = tokenizer_cases()["broken"];
  for (const auto& [name, expected] : tokenizer_cases()["tokenizers"].items()) {
    const attn::Tokenizer tokenizer = small_tokenizer(name);
    for (std::size_t i = 0; i < broken.size(); ++i)
      EXPECT_EQ(tokenizer.encode(bytes_of(broken[i])), expected["broken"][i].get<Ids>())
          << name << ": " << broken[i];
  }
}

TEST(Tokenizer, LeavesOutTheTokensAroundATextIfAsked) {
  const std::string text = tokenizer_cases()["texts"][60];
  for (const auto& [name, expected] : tokenizer_cases()["tokenizers"].items())
    EXPECT_EQ(small_tokenizer(name).encode(text, {.add_special_tokens = false}),
              expected["bare"].get<Ids>());
  EXPECT_EQ(attn::Tokenizer(letters()).encode("abc"), (Ids{5, 4, 6}));
  EXPECT_EQ(attn::Tokenizer(letters()).encode("abc", {.add_special_tokens = false}), Ids{4});
}

TEST(Tokenizer, IsInverseToDecodingForAllBytesOfUtf8) {
  const attn::Tokenizer tokenizer = small_tokenizer("gpt2");
  std::u32string points;
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 97)
    if (c < 0xD800 || c > 0xDFFF) points += c;
  const std::string text = attn::encode_utf8(points);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, KeepsTheTokensAroundATextThatIsCut) {
  const attn::Tokenizer tokenizer(letters());
  EXPECT_EQ(tokenizer.encode("abcabab", {.max_length = 5}), (Ids{5, 4, 3, 3, 6}));
  EXPECT_EQ(tokenizer.encode("abcabab", {.max_length = 4}), (Ids{5, 4, 3, 6}));
  EXPECT_EQ(tokenizer.encode("abcabab", {.max_length = 2}), (Ids{5, 6}));
  EXPECT_EQ(tokenizer.encode("abcab", {.add_special_tokens = false, .max_length = 0}), Ids{});
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { tokenizer.encode("a", {.max_length = 1}); }),
            "Tokenizer::encode: max_length = 1 must be at least 2, the tokens around a text");
}

TEST(Tokenizer, NamesItsTokens) {
  const attn::Tokenizer tokenizer(letters());
  EXPECT_EQ(tokenizer.size(), 7);
  EXPECT_EQ(tokenizer.token(4), "abc");
  EXPECT_EQ(tokenizer.id("abc"), 4);
  EXPECT_EQ(tokenizer.id("</s>"), 6);
  EXPECT_EQ(tokenizer.id("abcd"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(6));
  EXPECT_FALSE(tokenizer.is_special(4));
  EXPECT_EQ(tokenizer.decode({5, 4, 3, 6}), "<s>abcab</s>");
  EXPECT_EQ(tokenizer.decode({5, 4, 3, 6}, {.skip_special_tokens = true}), "abcab");
  EXPECT_EQ(small_tokenizer("gpt2").token(small_tokenizer("gpt2").encode(" the")[0]), "Ġthe");
}

TEST(Tokenizer, KnowsItsEndsOrSaysThatItDoesNot) {
  attn::TokenizerDescription description = letters();
  const attn::Tokenizer without(description);
  EXPECT_EQ(without.begin(), std::nullopt);
  EXPECT_FALSE(without.has_end());
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { without.end(); }),
            "Tokenizer::end: the tokenizer's files do not say which token ends a sequence; name it "
            "by id(…)");
  description.begin = 5;
  description.end = 6;
  EXPECT_EQ(attn::Tokenizer(description).begin(), 5);
  EXPECT_EQ(attn::Tokenizer(description).end(), 6);
}

TEST(Tokenizer, RefusesIdsOutsideOfItsVocabulary) {
  const attn::Tokenizer tokenizer(letters());
  attn::TextStream stream(tokenizer);
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              tokenizer.decode({0, 7});
            }),
            "Tokenizer::decode: id = 7 must be from 0 to 6");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { tokenizer.token(-1); }),
            "Tokenizer::token: id = -1 must be from 0 to 6");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { tokenizer.is_special(100); }),
            "Tokenizer::is_special: id = 100 must be from 0 to 6");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { stream.add(7); }),
            "TextStream::add: id = 7 must be from 0 to 6");
}

TEST(Tokenizer, RefusesADescriptionThatContradictsItself) {
  const auto sentence = [](const auto& change) {
    attn::TokenizerDescription description = letters();
    change(description);
    return sentence_of<attn::FileError>([&] { attn::Tokenizer{description}; });
  };
  using Description = attn::TokenizerDescription;
  EXPECT_EQ(sentence([](Description& d) { d.tokens[2] = "a"; }),
            "Tokenizer: token 2 is \"a\", which token 0 is already");
  EXPECT_EQ(sentence([](Description& d) { d.tokens[1] = ""; }), "Tokenizer: token 1 is empty");
  EXPECT_EQ(sentence([](Description& d) { d.tokens[1] = "\xff"; }),
            "Tokenizer: token 1 is not UTF-8");
  EXPECT_EQ(
      sentence([](Description& d) { d.added_tokens[1].id = 7; }),
      "Tokenizer: an added token is 7 and must be an id of the vocabulary, which has 7 tokens");
  EXPECT_EQ(sentence([](Description& d) { d.prefix = {-1}; }),
            "Tokenizer: a token before each text is -1 and must be an id of the vocabulary, which "
            "has 7 tokens");
  EXPECT_EQ(sentence([](Description& d) { d.suffix = {9}; }),
            "Tokenizer: a token after each text is 9 and must be an id of the vocabulary, which "
            "has 7 tokens");
  EXPECT_EQ(sentence([](Description& d) { d.begin = 8; }),
            "Tokenizer: the beginning-of-sequence token is 8 and must be an id of the vocabulary, "
            "which has 7 tokens");
  EXPECT_EQ(sentence([](Description& d) { d.end = 7; }),
            "Tokenizer: the end-of-sequence token is 7 and must be an id of the vocabulary, which "
            "has 7 tokens");
  EXPECT_EQ(sentence([](Description& d) {
              d.model = attn::BytePairs{{{"a", "d"}}};
            }),
            "Tokenizer: merge 0 names the token \"ad\", which the vocabulary lacks");
  EXPECT_EQ(sentence([](Description& d) {
              d.model = attn::BytePairs{{{"a", "b"}, {"a", "b"}}};
            }),
            "Tokenizer: merge 1 joins \"a\" and \"b\", as merge 0 does");
  EXPECT_EQ(sentence([](Description& d) { d.model = attn::WordPieces{}; }),
            "Tokenizer: the vocabulary lacks the token of unknown words, \"[UNK]\"");
}

TEST(Tokenizer, IsUsedByThreadsAtTheSameTime) {
  const attn::Tokenizer tokenizer = small_tokenizer("qwen2");
  const nlohmann::json& texts = tokenizer_cases()["texts"];
  const nlohmann::json& expected = tokenizer_cases()["tokenizers"]["qwen2"]["ids"];
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i)
        count += tokenizer.encode(texts[i].get<std::string>()) != expected[i].get<Ids>();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(Tokenizer, TakesALongTextOfOneLetter) {
  const attn::Tokenizer tokenizer = small_tokenizer("gpt2");
  const std::size_t few = tokenizer.encode(std::string(1 << 12, 'a')).size();
  const std::string text(1 << 18, 'a');
  const auto ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), few << 6);
  EXPECT_EQ(tokenizer.decode(ids), text);
  for (const char letter : {' ', '\n', '<', '\''}) {
    const std::string other(1 << 16, letter);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(other)), other);
  }
}
