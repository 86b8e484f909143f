#include <gmock/gmock.h>

#include <attn/text.hpp>

#include "io/gguf_builder.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

// Files and folders; what they may say is tested by tokenizer_json_malformed_test.cpp and
// tokenizer_gguf_test.cpp.

using attn::Index;
using Ids = std::vector<Index>;

namespace {

const std::string small_json = ATTN_TESTS_DATA "/tokenizers/qwen2.json";

std::string texts(const std::string& key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) bytes += gguf::text(value);
  return gguf::array("tokenizer.ggml." + key, 8, values.size(), bytes);
}
std::string text(const std::string& key, const std::string& value) {
  return gguf::metadata("tokenizer.ggml." + key, 8, gguf::text(value));
}

gguf::File small_gguf() {
  return {.metadata = {text("model", "gpt2"), text("pre", "smollm"),
                       texts("tokens", {"a", "b", "ab", "<|end|>"}), texts("merges", {"a b"}),
                       gguf::array("tokenizer.ggml.token_type", 5, 4,
                                   gguf::u32(1) + gguf::u32(1) + gguf::u32(1) + gguf::u32(3)),
                       gguf::metadata("tokenizer.ggml.eos_token_id", 4, gguf::u32(3)),
                       gguf::metadata("tokenizer.ggml.add_bos_token", 7, std::string(1, '\0'))}};
}

}  // namespace

TEST(LoadTokenizer, ReadsAFileAndAFolder) {
  const TemporaryFolder folder;
  put(folder / "tokenizer.json", content(small_json));
  const Ids ids = attn::load_tokenizer(small_json).encode("Hello");
  EXPECT_EQ(attn::load_tokenizer(folder / "tokenizer.json").encode("Hello"), ids);
  EXPECT_EQ(attn::load_tokenizer(folder.path).encode("Hello"), ids);
}

TEST(LoadTokenizer, ReadsGguf) {
  const TemporaryFolder folder;
  put(folder / "model.bin", small_gguf().bytes());
  const attn::Tokenizer tokenizer = attn::load_tokenizer(folder / "model.bin");
  EXPECT_EQ(tokenizer.encode("abb<|end|>"), (Ids{2, 1, 3}));
  EXPECT_EQ(tokenizer.end(), 3);
  EXPECT_EQ(tokenizer.begin(), std::nullopt);
}

TEST(LoadTokenizer, TakesTheEndsFromTheConfigBesideTheFile) {
  const TemporaryFolder folder;
  put(folder / "tokenizer.json", content(small_json));
  const auto loaded = [&](const std::string& config) {
    put(folder / "tokenizer_config.json", config);
    return attn::load_tokenizer(folder.path);
  };
  attn::Tokenizer tokenizer = loaded(R"({"eos_token": "<|endoftext|>", "bos_token": null})");
  EXPECT_EQ(tokenizer.token(tokenizer.end()), "<|endoftext|>");
  EXPECT_EQ(tokenizer.begin(), std::nullopt);
  tokenizer = loaded(R"({"eos_token": {"content": "<|im_end|>"}, "bos_token": "<|im_start|>"})");
  EXPECT_EQ(tokenizer.token(tokenizer.end()), "<|im_end|>");
  EXPECT_EQ(tokenizer.token(tokenizer.begin().value()), "<|im_start|>");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { loaded(R"({"eos_token": "<eos>"})"); }),
            "load_tokenizer: \"" + (folder / "tokenizer_config.json").string() +
                "\": eos_token is \"<eos>\", which the vocabulary lacks");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { loaded(R"({"eos_token": 7})"); }),
            "load_tokenizer: \"" + (folder / "tokenizer_config.json").string() +
                "\": eos_token must be a string or an object, not 7");
}

TEST(LoadTokenizer, TakesAUsualNameForTheEndWhereNoFileSaysIt) {
  const attn::Tokenizer tokenizer = attn::load_tokenizer(small_json);
  EXPECT_EQ(tokenizer.token(tokenizer.end()), "<|im_end|>");
  EXPECT_FALSE(attn::load_tokenizer(ATTN_TESTS_DATA "/tokenizers/bert.json").has_end());
}

TEST(LoadTokenizer, NamesTheFile) {
  const TemporaryFolder folder;
  const auto sentence = [](const std::filesystem::path& path) {
    return sentence_of<attn::FileError>([&] { attn::load_tokenizer(path); });
  };
  EXPECT_EQ(sentence(folder.path),
            "load_tokenizer: \"" + folder.path.string() + "\" has no file tokenizer.json");
  EXPECT_THAT(sentence(folder / "none.json"),
              testing::StartsWith("load_tokenizer: cannot read \"" +
                                  (folder / "none.json").string() + "\""));
  put(folder / "a.json", "{");
  EXPECT_EQ(sentence(folder / "a.json"), "load_tokenizer: \"" + (folder / "a.json").string() +
                                             "\" must be JSON in UTF-8, which it is not at its "
                                             "byte 2");
  gguf::File file = small_gguf();
  file.metadata[0] = text("model", "llama");
  file.metadata.resize(1);
  put(folder / "a.gguf", file.bytes());
  EXPECT_EQ(sentence(folder / "a.gguf"),
            "load_tokenizer: \"" + (folder / "a.gguf").string() +
                "\": tokenizer.ggml.model is \"llama\", which is not supported; only gpt2 is, a "
                "byte-level BPE");
  file = small_gguf();
  file.metadata.erase(file.metadata.begin() + 1);
  put(folder / "a.gguf", file.bytes());
  EXPECT_EQ(sentence(folder / "a.gguf"), "Gguf: \"" + (folder / "a.gguf").string() +
                                             "\" has no metadata \"tokenizer.ggml.pre\"; the "
                                             "closest is \"tokenizer.ggml.merges\"");
}
