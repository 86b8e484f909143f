#pragma once

#include <attn/io/json_node.hpp>
#include <attn/text/tokenizer_description.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

// The sections of a tokenizer.json besides its tokens. What a description cannot say is refused by
// name.

[[noreturn]] inline void refuse_type(const JsonNode& node, const std::string& known) {
  node["type"].fail("is " + in_quotes(node["type"].text()) +
                    ", which is not supported; these are: " + known);
}

inline void read_normalizer(const JsonNode& node, std::vector<Normalizer>& normalizers) {
  const std::string& type = node["type"].text();
  constexpr std::pair<std::string_view, NormalizationForm> forms[] = {
      {"NFC", NormalizationForm::nfc},
      {"NFD", NormalizationForm::nfd},
      {"NFKC", NormalizationForm::nfkc},
      {"NFKD", NormalizationForm::nfkd}};
  for (const auto& [name, form] : forms) {
    if (type != name) continue;
    node.expect_keys({"type"});
    normalizers.emplace_back(form);
    return;
  }
  if (type == "Sequence") {
    node.expect_keys({"type", "normalizers"});
    for (const JsonNode& part : node["normalizers"].elements()) read_normalizer(part, normalizers);
  } else if (type == "Lowercase") {
    node.expect_keys({"type"});
    normalizers.emplace_back(Lowercase{});
  } else if (type == "BertNormalizer") {
    node.expect_keys({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
    const bool lowercase = node["lowercase"].flag();
    normalizers.emplace_back(
        BertNormalizer{.clean_text = node["clean_text"].flag(),
                       .handle_chinese_chars = node["handle_chinese_chars"].flag(),
                       .strip_accents = node.flag("strip_accents", lowercase),
                       .lowercase = lowercase});
  } else {
    refuse_type(node, "NFC, NFD, NFKC, NFKD, Lowercase, BertNormalizer, Sequence");
  }
}

/// A regular expression, if it is one of those that have a matcher.
inline PreTokenizer pattern_of(const JsonNode& regex) {
  const std::string spaces = R"(|\s+(?!\S)|\s+)";
  const std::string gpt2 = R"(| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+)" + spaces;
  const std::string llama = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
  const std::string llama_end = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)" + spaces;
  const std::string& text = regex.text();
  if (text == "'s|'t|'re|'ve|'m|'ll|'d" + gpt2) return Gpt2Words{};
  if (text == "'(?:[sdmt]|ll|ve|re)" + gpt2) return Gpt2Words{};
  if (text == llama + llama_end) return LlamaWords{.max_digits = 1};
  if (text == llama + "{1,3}" + llama_end) return LlamaWords{.max_digits = 3};
  regex.fail("is " + in_quotes(text) +
             ", which is not supported; these are: the patterns of GPT-2, Llama 3 and Qwen2");
}

/// A pattern matches all of a text, so that its matches are all that there is.
inline void read_split(const JsonNode& node, TokenizerDescription& description) {
  node.expect_keys({"type", "pattern", "behavior", "invert"});
  const JsonNode pattern = node["pattern"];
  pattern.expect_keys({"Regex"});
  const std::string& behavior = node["behavior"].text();
  const bool inverts = node["invert"].flag();
  if (!(behavior == "Isolated" && !inverts) && !(behavior == "Removed" && inverts))
    node["behavior"].fail("is " + in_quotes(behavior) + (inverts ? " inverted" : "") +
                          ", which is not supported; these are: Isolated, Removed inverted");
  description.pre_tokenizers.push_back(pattern_of(pattern["Regex"]));
}

/// Returns whether this is ByteLevel, after which the text is bytes.
inline bool read_pre_tokenizer(const JsonNode& node, TokenizerDescription& description) {
  const std::string& type = node["type"].text();
  std::vector<PreTokenizer>& steps = description.pre_tokenizers;
  if (type == "Sequence") {
    node.expect_keys({"type", "pretokenizers"});
    bool is_bytes = false;
    for (const JsonNode& part : node["pretokenizers"].elements()) {
      if (is_bytes) part.fail("follows ByteLevel, which must be the last");
      is_bytes = read_pre_tokenizer(part, description);
    }
    return is_bytes;
  }
  if (type == "ByteLevel") {
    node.expect_keys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    description.add_prefix_space = node["add_prefix_space"].flag();
    if (description.add_prefix_space && !steps.empty())
      node["add_prefix_space"].fail("must be false where ByteLevel follows another pre-tokenizer");
    if (node.flag("use_regex", true)) steps.emplace_back(Gpt2Words{});
    return true;
  }
  if (type == "Split") {
    read_split(node, description);
  } else if (type == "Digits") {
    node.expect_keys({"type", "individual_digits"});
    if (node["individual_digits"].flag()) steps.emplace_back(EachDigit{});
    else steps.emplace_back(DigitRuns{});
  } else if (type == "BertPreTokenizer") {
    node.expect_keys({"type"});
    steps.emplace_back(BertWords{});
  } else {
    refuse_type(node, "ByteLevel, Split, Digits, BertPreTokenizer, Sequence");
  }
  return false;
}

/// The template of one text: special tokens, the text, special tokens.
inline void read_template(const JsonNode& node, TokenizerDescription& description) {
  node.expect_keys({"type", "single", "pair", "special_tokens"});
  std::vector<Index> prefix;
  std::vector<Index> suffix;
  bool has_text = false;
  for (const JsonNode& piece : node["single"].elements()) {
    piece.expect_keys({"SpecialToken", "Sequence"});
    if (const auto text = piece.find("Sequence")) {
      if (has_text || (*text)["id"].text() != "A") text->fail("must be A, once");
      has_text = true;
      continue;
    }
    const std::string& name = piece["SpecialToken"]["id"].text();
    for (const JsonNode& id : node["special_tokens"][name]["ids"].elements())
      (has_text ? suffix : prefix).push_back(id.index());
  }
  if (!has_text) node["single"].fail("must have the text, {\"Sequence\": {\"id\": \"A\"}}");
  description.prefix.insert(description.prefix.begin(), prefix.begin(), prefix.end());
  description.suffix.insert(description.suffix.end(), suffix.begin(), suffix.end());
}

inline void read_post_processor(const JsonNode& node, TokenizerDescription& description) {
  const std::string& type = node["type"].text();
  if (type == "Sequence") {
    node.expect_keys({"type", "processors"});
    for (const JsonNode& part : node["processors"].elements())
      read_post_processor(part, description);
  } else if (type == "TemplateProcessing") {
    read_template(node, description);
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    node.expect_keys({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
    const auto id = [&](const char* name) {
      const std::vector<JsonNode> pair = node[name].elements();
      if (pair.size() != 2) node[name].fail("must be a token and its id");
      return pair[1].index();
    };
    description.prefix.insert(description.prefix.begin(), id("cls"));
    description.suffix.push_back(id("sep"));
  } else if (type != "ByteLevel") {  // which changes offsets alone
    refuse_type(node, "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence");
  }
}

inline void read_decoder(const JsonNode& node, TokenizerDescription& description) {
  const std::string& type = node["type"].text();
  auto* const pieces = std::get_if<WordPieces>(&description.model);
  if (pieces == nullptr) {
    if (type != "ByteLevel") refuse_type(node, "ByteLevel for a BPE");
    return;
  }
  if (type != "WordPiece") refuse_type(node, "WordPiece for a WordPiece");
  node.expect_keys({"type", "prefix", "cleanup"});
  pieces->cleans_up = node["cleanup"].flag();
  if (node["prefix"].text() != pieces->continuing_prefix)
    node["prefix"].fail("must be " + in_quotes(pieces->continuing_prefix) + ", as in the model");
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
