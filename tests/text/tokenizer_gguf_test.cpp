#include <attn/text/tokenizer.hpp>
#include <attn/text/tokenizer_gguf.hpp>

#include "support/expect_error.hpp"

// What a GGUF file says, apart from the file: load_tokenizer_test.cpp reads one.

using attn::Index, attn::detail::GgufTokenizer;
using Ids = std::vector<Index>;

namespace {

GgufTokenizer small() {
  return {.model = "gpt2",
          .pre = "gpt-2",
          .tokens = {"a", "b", "ab", "Ġ", "1", "11", "<s>", "<tool>", "[PAD]"},
          .merges = {"a b", "1 1"},
          .token_type = {1, 1, 1, 1, 1, 1, 3, 4, 5},
          .bos_token_id = 6,
          .eos_token_id = 8};
}

attn::Tokenizer tokenizer_of(const GgufTokenizer& gguf) {
  return attn::Tokenizer(attn::detail::tokenizer_of_gguf(gguf, "f"), "f");
}

template <class Change>
std::string refusal(const Change& change) {
  GgufTokenizer gguf = small();
  change(gguf);
  return sentence_of<attn::FileError>([&] { tokenizer_of(gguf); });
}

}  // namespace

TEST(TokenizerGguf, HasSpecialAndAddedTokensByTheirTypes) {
  const attn::Tokenizer tokenizer = tokenizer_of(small());
  EXPECT_EQ(tokenizer.encode("ab<s>b<tool>[PAD]a"), (Ids{2, 6, 1, 7, 0}));  // no token has [ or P
  EXPECT_EQ(tokenizer.encode("<s>b<tool>", {.split_special_tokens = true}), (Ids{1, 7}));
  EXPECT_TRUE(tokenizer.is_special(6));
  EXPECT_FALSE(tokenizer.is_special(7));
  EXPECT_EQ(tokenizer.begin(), 6);
  EXPECT_EQ(tokenizer.end(), 8);
}

TEST(TokenizerGguf, SplitsTextAsItsPreTokenizerDoes) {
  GgufTokenizer gguf = small();
  EXPECT_EQ(tokenizer_of(gguf).encode("11"), Ids{5});
  gguf.pre = "smollm";
  EXPECT_EQ(tokenizer_of(gguf).encode("11"), (Ids{4, 4}));
  gguf.pre = "qwen2";
  EXPECT_EQ(tokenizer_of(gguf).encode("11"), (Ids{4, 4}));
  gguf.pre = "llama-bpe";
  EXPECT_EQ(tokenizer_of(gguf).encode("1111"), (Ids{6, 5, 4, 4}));  // at most three digits
}

TEST(TokenizerGguf, AddsTheTokensAroundATextThatItNames) {
  GgufTokenizer gguf = small();
  gguf.add_bos_token = true;
  gguf.add_eos_token = true;
  EXPECT_EQ(tokenizer_of(gguf).encode("a"), (Ids{6, 0, 8}));
  gguf.add_space_prefix = true;
  EXPECT_EQ(tokenizer_of(gguf).encode("a"), (Ids{6, 3, 0, 8}));
  gguf.pre = "llama-bpe";
  gguf.add_bos_token = false;
  EXPECT_EQ(tokenizer_of(gguf).encode("a"), (Ids{3, 0, 8}));
}

TEST(TokenizerGguf, TakesTokensAsTheyAreUnderLlamasPreTokenizer) {
  GgufTokenizer gguf = small();
  gguf.merges = {};
  EXPECT_EQ(tokenizer_of(gguf).encode("ab"), (Ids{0, 1}));
  gguf.pre = "llama-bpe";
  EXPECT_EQ(tokenizer_of(gguf).encode("ab"), (Ids{6, 2}));
}

TEST(TokenizerGguf, RefusesWhatItWouldNotFollow) {
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.model = "llama"; }),
            "f: tokenizer.ggml.model is \"llama\", which is not supported; only gpt2 is, a "
            "byte-level BPE");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.model = "bert"; }),
            "f: tokenizer.ggml.model is \"bert\", which is not supported; only gpt2 is, a "
            "byte-level BPE");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.pre = "default"; }),
            "f: tokenizer.ggml.pre is \"default\", which is not supported; these are: gpt-2, "
            "smollm, llama-bpe, qwen2");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.pre = ""; }),
            "f: tokenizer.ggml.pre is \"\", which is not supported; these are: gpt-2, smollm, "
            "llama-bpe, qwen2");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.token_type.pop_back(); }),
            "f: tokenizer.ggml.token_type has 8 elements and must have 9, one for each token");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.token_type[2] = 6; }),
            "f: tokenizer.ggml.token_type[2] must be from 1 to 5, not 6");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.token_type[0] = -1; }),
            "f: tokenizer.ggml.token_type[0] must be from 1 to 5, not -1");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.merges[1] = "11"; }),
            "f: tokenizer.ggml.merges[1] must be two tokens with a space between them, not \"11\"");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.merges[1] = "1 1 1"; }),
            "f: tokenizer.ggml.merges[1] must be two tokens with a space between them, not "
            "\"1 1 1\"");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.merges[1] = "b a"; }),
            "f: merge 1 names the token \"ba\", which the vocabulary lacks");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.merges[1] = "a b"; }),
            "f: merge 1 joins \"a\" and \"b\", as merge 0 does");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.tokens[4] = "a"; }),
            "f: token 4 is \"a\", which token 0 is already");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.tokens[4] = "\xff"; }), "f: token 4 is not UTF-8");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.tokens[4] = ""; }), "f: token 4 is empty");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.bos_token_id = 9; }),
            "f: the beginning-of-sequence token is 9 and must be an id of the vocabulary, which "
            "has 9 tokens");
  EXPECT_EQ(refusal([](GgufTokenizer& g) { g.eos_token_id = -1; }),
            "f: the end-of-sequence token is -1 and must be an id of the vocabulary, which has 9 "
            "tokens");
  EXPECT_EQ(refusal([](GgufTokenizer& g) {
              g.add_bos_token = true;
              g.bos_token_id.reset();
            }),
            "f: tokenizer.ggml.add_bos_token is true, but there is no tokenizer.ggml.bos_token_id");
  EXPECT_EQ(refusal([](GgufTokenizer& g) {
              g.add_eos_token = true;
              g.eos_token_id.reset();
            }),
            "f: tokenizer.ggml.add_eos_token is true, but there is no tokenizer.ggml.eos_token_id");
}
