#include <gmock/gmock.h>

#include <attn/text/load_word_piece.hpp>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

// Against Hugging Face's tokenizer: tests/data/make_word_piece_cases.py.

using attn::Index;

namespace {

const nlohmann::json& golden() {
  static const nlohmann::json file =
      nlohmann::json::parse(std::ifstream(ATTN_TESTS_DATA "/word_piece_cases.json"));
  return file;
}
const attn::Tokenizer& tokenizer() {
  static const attn::Tokenizer result =
      attn::load_word_piece(ATTN_TESTS_DATA "/word_piece_vocab.txt");
  return result;
}

std::string pieces(const std::string& text, Index longest = 256) {
  std::string result;
  for (const Index id : tokenizer().encode(text, {.max_length = longest}))
    result += (result.empty() ? "" : " ") + tokenizer().token(id);
  return result;
}

/// The words of a text as BERT's uncased models read them, with a space after each.
std::string bert_words(const std::string& text) {
  const std::vector<attn::PreTokenizer> steps{attn::BertWords{}};
  std::string words;
  attn::detail::for_each_word(steps, attn::detail::normalized(attn::BertNormalizer{}, text),
                              [&](std::string_view word) { words.append(word).append(" "); });
  return words;
}

}  // namespace

TEST(WordPiece, IsTheReferenceTokenizerOnTextsOfAllKinds) {
  ASSERT_GE(golden()["cases"].size(), 80u);
  for (const auto& example : golden()["cases"])
    EXPECT_EQ(pieces(example["text"]), example["pieces"].get<std::string>())
        << example["text"].dump();
}

TEST(WordPiece, ReadsEveryCodePointAsTheReferenceTokenizer) {
  // Code points of which Unicode has changed since the version that the reference tokenizer has.
  std::vector<bool> newer(0x110000);
  for (const auto& range : golden()["newer"])
    for (auto c = range[0].get<std::size_t>(); c <= range[1].get<std::size_t>(); ++c)
      newer[c] = true;
  for (char32_t plane = 0; plane < 17; ++plane) {
    std::uint64_t hash = 0xCBF29CE484222325;
    const auto add = [&](const std::string& text) {
      for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    };
    for (char32_t c = plane << 16; c < (plane + 1) << 16; ++c) {
      if ((c >= 0xD800 && c < 0xE000) || newer[c]) continue;
      add(bert_words(attn::encode_utf8(std::u32string{U'a', c, U'b'})) + '\n');
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    EXPECT_EQ(text, golden()["planes"][plane].get<std::string>())
        << "plane " << static_cast<int>(plane);
  }
}

TEST(WordPiece, KeepsBothEndsOfATextThatIsCut) {
  EXPECT_EQ(pieces("the cat sat", 5), "[CLS] the cat sat [SEP]");
  EXPECT_EQ(pieces("the cat sat", 4), "[CLS] the cat [SEP]");
  EXPECT_EQ(pieces("the cat sat", 2), "[CLS] [SEP]");
}

TEST(WordPiece, IgnoresBytesThatAreNotUtf8) {
  EXPECT_EQ(pieces("the c\xff"
                   "at \xed\xa0\x80sat"),
            "[CLS] the cat sat [SEP]");
}

TEST(WordPiece, NamesThePieceThatItsVocabularyLacks) {
  EXPECT_EQ(sentence_of<attn::FileError>([] {
              attn::detail::uncased_bert({"[UNK]", "[SEP]", "a"}, "uncased_bert: the vocabulary");
            }),
            "uncased_bert: the vocabulary must have the piece [CLS]");
  const TemporaryFolder folder;
  const std::string path = (folder / "vocab.txt").string();
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_word_piece(path); }),
            "load_word_piece: cannot read \"" + path + "\": No such file or directory");
  put(path, "[UNK]\n[CLS]\n");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_word_piece(path); }),
            "load_word_piece: \"" + path + "\" must have the piece [SEP]");
}

TEST(WordPiece, ReadsLinesThatEndInEitherWay) {
  const TemporaryFolder folder;
  put(folder / "vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n##b");
  EXPECT_EQ(attn::load_word_piece(folder / "vocab.txt").encode("AB c"),
            (std::vector<Index>{1, 3, 4, 0, 2}));
}
