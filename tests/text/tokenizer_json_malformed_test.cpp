#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "tokenizer_cases.hpp"

// Each file that is not read gets one sentence, which names the place in it.

namespace {

const char* const valid = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 4, "content": "<s>", "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type": "NFC"},
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
            "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}})";

const char* const word_piece = R"({"type": "WordPiece", "unk_token": "a",
  "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
  "vocab": {"a": 0, "b": 1, "##b": 2, "c": 3}})";

std::string refusal(const std::string& text) {
  const std::string sentence = sentence_of<attn::FileError>(
      [&] { attn::Tokenizer(attn::detail::tokenizer_of_json(text, "f"), "f"); });
  EXPECT_TRUE(sentence.starts_with("f")) << sentence;
  return sentence.substr(sentence.starts_with("f: ") ? 3 : 1);
}

/// The sentence about the valid file with the value at `pointer` replaced.
std::string with(const std::string& pointer, const std::string& value) {
  nlohmann::json file = nlohmann::json::parse(valid);
  file[nlohmann::json::json_pointer(pointer)] = nlohmann::json::parse(value);
  return refusal(file.dump());
}

/// The sentence about the valid file without a member.
std::string without(const std::string& pointer) {
  nlohmann::json file = nlohmann::json::parse(valid);
  const nlohmann::json::json_pointer at(pointer);
  file[at.parent_pointer()].erase(at.back());
  return refusal(file.dump());
}

}  // namespace

TEST(TokenizerJson, ReadsTheFileThatTheOthersAreMadeFrom) {
  const attn::Tokenizer tokenizer(attn::detail::tokenizer_of_json(valid, "f"), "f");
  EXPECT_EQ(tokenizer.encode("ab ba<s>"), (std::vector<attn::Index>{2, 3, 1, 0, 4}));
}

TEST(TokenizerJson, RefusesWhatIsNotJson) {
  EXPECT_EQ(refusal(""), " must be JSON in UTF-8, which it is not at its byte 1");
  EXPECT_EQ(refusal("{\"a\": 1"), " must be JSON in UTF-8, which it is not at its byte 8");
  EXPECT_EQ(refusal("{\"\xff\": 1}"), " must be JSON in UTF-8, which it is not at its byte 3");
  EXPECT_EQ(refusal(std::string("{}\0{}", 5)),
            " must be JSON in UTF-8, which it is not at its byte 3");
  EXPECT_EQ(refusal(R"({"model": {"vocab": {"\ud800": 0}}})"),
            " must be JSON in UTF-8, which it is not at its byte 29");
  EXPECT_EQ(refusal(R"({"version": 1e999})"), " has a number that is too large");
  EXPECT_EQ(refusal(R"({"model": {"vocab": {"a": 0, "b": 1, "a": 2}}})"),
            " has the key \"a\" twice in one object");
  EXPECT_EQ(refusal(std::string(100, '[') + std::string(100, ']')), " nests deeper than 40 levels");
  EXPECT_EQ(refusal("[]"), "the file must be an object, not an array");
}

TEST(TokenizerJson, RefusesWhatIsMissing) {
  EXPECT_EQ(without("/model"), "the file has no key \"model\"");
  EXPECT_EQ(without("/decoder"), "the file has no key \"decoder\"");
  EXPECT_EQ(without("/model/vocab"), "model has no key \"vocab\"");
  EXPECT_EQ(without("/model/merges"), "model has no key \"merges\"");
  EXPECT_EQ(without("/added_tokens/0/content"), "added_tokens[0] has no key \"content\"");
  EXPECT_EQ(without("/added_tokens/0/special"), "added_tokens[0] has no key \"special\"");
  EXPECT_EQ(without("/normalizer/type"), "normalizer has no key \"type\"");
  EXPECT_EQ(without("/pre_tokenizer/add_prefix_space"),
            "pre_tokenizer has no key \"add_prefix_space\"");
  EXPECT_EQ(without("/pre_tokenizer"), "the file has no key \"pre_tokenizer\"");
}

TEST(TokenizerJson, RefusesValuesOfAnotherType) {
  EXPECT_EQ(with("/model", "[]"), "model must be an object, not an array");
  EXPECT_EQ(with("/model/vocab", "[\"a\"]"), "model.vocab must be an object, not an array");
  EXPECT_EQ(with("/model/vocab/a", "\"0\""),
            "model.vocab[\"a\"] must be a non-negative integer, not \"0\"");
  EXPECT_EQ(with("/model/vocab/a", "-1"),
            "model.vocab[\"a\"] must be a non-negative integer, not -1");
  EXPECT_EQ(with("/model/vocab/a", "0.0"),
            "model.vocab[\"a\"] must be a non-negative integer, not 0.0");
  EXPECT_EQ(with("/model/vocab/a", "18446744073709551615"),
            "model.vocab[\"a\"] must be a non-negative integer, not 18446744073709551615");
  EXPECT_EQ(with("/model/merges", "{}"), "model.merges must be an array, not an object");
  EXPECT_EQ(with("/model/merges/0", "7"), "model.merges[0] must be an array, not 7");
  EXPECT_EQ(with("/model/merges/0", "[\"a\", 1]"), "model.merges[0][1] must be a string, not 1");
  EXPECT_EQ(with("/added_tokens", "{}"), "added_tokens must be an array, not an object");
  EXPECT_EQ(with("/added_tokens/0/lstrip", "0"),
            "added_tokens[0].lstrip must be true or false, not 0");
  EXPECT_EQ(with("/version", "2"), "version must be a string, not 2");
  EXPECT_EQ(with("/normalizer", "\"NFC\""), "normalizer must be an object, not \"NFC\"");
}

TEST(TokenizerJson, RefusesTokensThatDoNotFit) {
  EXPECT_EQ(with("/model/vocab/b", "0"), "the file has two tokens of the id 0: \"a\" and \"b\"");
  EXPECT_EQ(with("/model/vocab/b", "7"),
            "the file has 5 tokens, but \"b\" has the id 7, so that ids below it have none");
  EXPECT_EQ(with("/added_tokens/0/id", "5"),
            "the file has 5 tokens, but \"<s>\" has the id 5, so that ids below it have none");
  EXPECT_EQ(with("/added_tokens/0/content", "\"b\""),
            "added_tokens[0] has the id 4, but the token \"b\" has the id 1");
  EXPECT_EQ(with("/added_tokens/0/content", "\"\""), "token 4 is empty");
  EXPECT_EQ(with("/model/merges/0", "\"a c\""),
            "merge 0 names the token \"ac\", which the vocabulary lacks");
  EXPECT_EQ(with("/model/merges/0", "[\"\", \"ab\"]"),
            "merge 0 names the token \"\", which the vocabulary lacks");
  EXPECT_EQ(with("/model/merges", "[\"a b\", \"a b\"]"),
            "merge 1 joins \"a\" and \"b\", as merge 0 does");
  EXPECT_EQ(with("/model/merges/0", "\"ab\""),
            "model.merges[0] must be two tokens with a space between them, not \"ab\"");
  EXPECT_EQ(with("/model/merges/0", "\"a b b\""),
            "model.merges[0] must be two tokens with a space between them, not \"a b b\"");
  EXPECT_EQ(with("/model/merges/0", "[\"a\", \"b\", \"b\"]"),
            "model.merges[0] must have two tokens, not 3");
  EXPECT_EQ(with("/model/unk_token", "\"u\""),
            "model.unk_token is \"u\", which the vocabulary lacks");
}

TEST(TokenizerJson, RefusesModelsThatItWouldNotFollow) {
  EXPECT_EQ(with("/model/type", "\"Unigram\""),
            "model.type is \"Unigram\", which is not supported; these are: BPE, WordPiece");
  EXPECT_EQ(with("/model/dropout", "0.1"), "model.dropout is not supported");
  EXPECT_EQ(with("/model/end_of_word_suffix", "\"</w>\""),
            "model.end_of_word_suffix is \"</w>\", which is not supported");
  EXPECT_EQ(with("/model/continuing_subword_prefix", "\"##\""),
            "model.continuing_subword_prefix is \"##\", which is not supported");
  EXPECT_EQ(with("/model/byte_fallback", "true"),
            "model.byte_fallback is not supported for a byte-level BPE");
  EXPECT_EQ(with("/model/fuse_unk", "true"),
            "model.fuse_unk is not supported for a byte-level BPE");
  EXPECT_EQ(with("/model/extra", "1"), "model has a key \"extra\", which is not supported");
  EXPECT_EQ(with("/extra", "1"), "the file has a key \"extra\", which is not supported");
  EXPECT_EQ(with("/version", "\"2.0\""), "version must be \"1.0\", not \"2.0\"");
  EXPECT_EQ(with("/model", word_piece),
            "pre_tokenizer must not have ByteLevel, because a WordPiece is one of characters");
}

TEST(TokenizerJson, RefusesStagesThatItWouldNotFollow) {
  EXPECT_EQ(with("/normalizer/type", "\"Replace\""),
            "normalizer.type is \"Replace\", which is not supported; these are: NFC, NFD, NFKC, "
            "NFKD, Lowercase, BertNormalizer, Sequence");
  EXPECT_EQ(with("/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Strip"}]})"),
            "normalizer.normalizers[0].type is \"Strip\", which is not supported; these are: NFC, "
            "NFD, NFKC, NFKD, Lowercase, BertNormalizer, Sequence");
  EXPECT_EQ(with("/pre_tokenizer", R"({"type": "Metaspace"})"),
            "pre_tokenizer.type is \"Metaspace\", which is not supported; these are: ByteLevel, "
            "Split, Digits, BertPreTokenizer, Sequence");
  EXPECT_EQ(with("/pre_tokenizer", "null"),
            "pre_tokenizer must end in ByteLevel, because a BPE of characters is not supported");
  const std::string split = R"({"type": "Split", "pattern": {"Regex": "\\s+"},
                                "behavior": "Isolated", "invert": false})";
  EXPECT_EQ(with("/pre_tokenizer", split),
            "pre_tokenizer.pattern.Regex is \"\\s+\", which is not supported; these are: the "
            "patterns of GPT-2, Llama 3 and Qwen2");
  EXPECT_EQ(with("/pre_tokenizer", R"({"type": "Split", "pattern": {"String": " "},
                                       "behavior": "Isolated", "invert": false})"),
            "pre_tokenizer.pattern has a key \"String\", which is not supported");
  EXPECT_EQ(with("/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": " "},
                                       "behavior": "Removed", "invert": false})"),
            "pre_tokenizer.behavior is \"Removed\", which is not supported; these are: Isolated, "
            "Removed inverted");
  const std::string bytes = R"({"type": "ByteLevel", "add_prefix_space": true})";
  const std::string digits = R"({"type": "Digits", "individual_digits": true})";
  EXPECT_EQ(with("/pre_tokenizer",
                 R"({"type": "Sequence", "pretokenizers": [)" + bytes + "," + digits + "]}"),
            "pre_tokenizer.pretokenizers[1] follows ByteLevel, which must be the last");
  EXPECT_EQ(with("/pre_tokenizer",
                 R"({"type": "Sequence", "pretokenizers": [)" + digits + "," + bytes + "]}"),
            "pre_tokenizer.pretokenizers[1].add_prefix_space must be false where ByteLevel "
            "follows another pre-tokenizer");
  EXPECT_EQ(with("/decoder/type", "\"Metaspace\""),
            "decoder.type is \"Metaspace\", which is not supported; these are: ByteLevel for a "
            "BPE");
  EXPECT_EQ(with("/post_processor", R"({"type": "Other"})"),
            "post_processor.type is \"Other\", which is not supported; these are: "
            "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence");
  EXPECT_EQ(with("/post_processor",
                 R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})"),
            "post_processor.single must have the text, {\"Sequence\": {\"id\": \"A\"}}");
  EXPECT_EQ(with("/post_processor", R"({"type": "TemplateProcessing", "special_tokens": {},
                                        "single": [{"SpecialToken": {"id": "x"}}]})"),
            "post_processor.special_tokens has no key \"x\"");
  EXPECT_EQ(with("/post_processor", R"({"type": "TemplateProcessing", "special_tokens": {},
                                        "single": [{"Sequence": {"id": "B"}}]})"),
            "post_processor.single[0].Sequence must be A, once");
  EXPECT_EQ(with("/post_processor", R"({"type": "BertProcessing", "sep": ["<s>", 9],
                                        "cls": ["<s>", 4]})"),
            "a token after each text is 9 and must be an id of the vocabulary, which has 5 tokens");
  EXPECT_EQ(with("/post_processor", R"({"type": "BertProcessing", "sep": ["<s>"],
                                        "cls": ["<s>", 4]})"),
            "post_processor.sep must be a token and its id");
}

TEST(TokenizerJson, RefusesWordPiecesThatDoNotFit) {
  nlohmann::json file = nlohmann::json::parse(valid);
  file["model"] = nlohmann::json::parse(word_piece);
  file["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  EXPECT_EQ(refusal(file.dump()),
            "decoder.type is \"ByteLevel\", which is not supported; these are: WordPiece for a "
            "WordPiece");
  file["decoder"] = {{"type", "WordPiece"}, {"prefix", "@@"}, {"cleanup", true}};
  EXPECT_EQ(refusal(file.dump()), "decoder.prefix must be \"##\", as in the model");
  file["decoder"]["prefix"] = "##";
  file["model"]["unk_token"] = "u";
  EXPECT_EQ(refusal(file.dump()), "the vocabulary lacks the token of unknown words, \"u\"");
}
