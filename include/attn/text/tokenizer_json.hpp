#pragma once

#include <attn/files/mapped_file.hpp>
#include <attn/text/json_stages.hpp>
#include <filesystem>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Reads the model, but for its tokens. Returns whether it is a BPE.
inline bool read_model(const JsonNode& node, TokenizerDescription& description) {
  const std::string type = node.find("type") ? node["type"].text() : "BPE";
  if (type == "WordPiece") {
    node.expect_keys(
        {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
    description.model = WordPieces{
        .unknown = node["unk_token"].text(),
        .continuing_prefix = node["continuing_subword_prefix"].text(),
        .max_characters = static_cast<std::size_t>(node["max_input_chars_per_word"].index())};
    return false;
  }
  if (type != "BPE") refuse_type(node, "BPE, WordPiece");
  node.expect_keys({"type", "dropout", "unk_token", "continuing_subword_prefix",
                    "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                    "merges"});
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto text = node.find(affix); text && !text->text().empty())
      text->fail("is " + in_quotes(text->text()) + ", which is not supported");
  if (const auto dropout = node.find("dropout")) dropout->fail("is not supported");
  for (const char* flag : {"fuse_unk", "byte_fallback"})
    if (node.flag(flag, false)) node[flag].fail("is not supported for a byte-level BPE");

  BytePairs pairs{.ignore_merges = node.flag("ignore_merges", false)};
  for (const JsonNode& merge : node["merges"].elements()) {
    if (merge.is_text()) {
      const std::string& text = merge.text();
      const std::size_t space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos)
        merge.fail_at_value("two tokens with a space between them");
      pairs.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
      continue;
    }
    const std::vector<JsonNode> parts = merge.elements();
    if (parts.size() != 2) merge.fail("must have two tokens, not " + std::to_string(parts.size()));
    pairs.merges.emplace_back(parts[0].text(), parts[1].text());
  }
  description.model = std::move(pairs);
  return true;
}

inline AddedToken read_added_token(const JsonNode& node) {
  node.expect_keys({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  return {.id = node["id"].index(),
          .special = node["special"].flag(),
          .normalized = node["normalized"].flag(),
          .lstrip = node["lstrip"].flag(),
          .rstrip = node["rstrip"].flag(),
          .single_word = node["single_word"].flag()};
}

/// The tokens of the model and the added ones by id. Each id from 0 on must have one token.
inline std::vector<std::string> read_tokens(const JsonNode& file,
                                            TokenizerDescription& description) {
  TextMap<Index> ids;
  for (const auto& [token, id] : file["model"]["vocab"].members()) ids.emplace(token, id.index());
  if (const auto added = file.find("added_tokens")) {
    for (const JsonNode& node : added->elements()) {
      description.added_tokens.push_back(read_added_token(node));
      const Index id = description.added_tokens.back().id;
      const auto [at, is_new] = ids.emplace(node["content"].text(), id);
      if (!is_new && at->second != id)
        node.fail("has the id " + std::to_string(id) + ", but the token " +
                  in_quotes(node["content"].text()) + " has the id " + std::to_string(at->second));
    }
  }
  std::vector<std::string> tokens(ids.size());
  std::vector<bool> is_used(ids.size());
  for (const auto& [token, id] : ids) {
    if (static_cast<std::size_t>(id) >= ids.size())
      file.fail("has " + std::to_string(ids.size()) + " tokens, but " + in_quotes(token) +
                " has the id " + std::to_string(id) + ", so that ids below it have none");
    const auto at = static_cast<std::size_t>(id);
    if (is_used[at])
      file.fail("has two tokens of the id " + std::to_string(id) + ": " +
                in_quotes(std::min(token, tokens[at])) + " and " +
                in_quotes(std::max(token, tokens[at])));
    is_used[at] = true;
    tokens[at] = token;
  }
  return tokens;
}

/// What a tokenizer.json says, but for the ends of a sequence. Not read are the sections truncation
/// and padding, which belong to a call; `EncodeOptions::max_length` truncates.
/// Errors: FileError, a sentence that begins with `where`.
inline TokenizerDescription tokenizer_of_json(std::string_view text, const std::string& where) {
  const nlohmann::json json = parse_json(text, where);
  const JsonNode file(json, "", where);
  file.expect_keys({"version", "truncation", "padding", "added_tokens", "normalizer",
                    "pre_tokenizer", "post_processor", "decoder", "model"});
  if (const auto version = file.find("version"); version && version->text() != "1.0")
    version->fail_at_value("\"1.0\"");

  TokenizerDescription description;
  const bool is_bpe = read_model(file["model"], description);
  description.tokens = read_tokens(file, description);
  if (const auto normalizer = file.find("normalizer"))
    read_normalizer(*normalizer, description.normalizers);
  const auto pre_tokenizer = file.find("pre_tokenizer");
  const bool is_bytes = pre_tokenizer && read_pre_tokenizer(*pre_tokenizer, description);
  if (is_bpe && !is_bytes)
    file["pre_tokenizer"].fail(
        "must end in ByteLevel, because a BPE of characters is not supported");
  if (!is_bpe && is_bytes)
    file["pre_tokenizer"].fail("must not have ByteLevel, because a WordPiece is one of characters");
  if (const auto processor = file.find("post_processor"))
    read_post_processor(*processor, description);
  read_decoder(file["decoder"], description);
  if (is_bpe)
    if (const auto unknown = file["model"].find("unk_token"); unknown && !unknown->text().empty()) {
      const auto at =
          std::find(description.tokens.begin(), description.tokens.end(), unknown->text());
      if (at == description.tokens.end())
        unknown->fail("is " + in_quotes(unknown->text()) + ", which the vocabulary lacks");
      std::get<BytePairs>(description.model).unknown = at - description.tokens.begin();
    }
  return description;
}

/// The id of a token that a tokenizer_config.json names, as text or as an object.
inline std::optional<Index> read_named_token(const JsonNode& config, const std::string& key,
                                             const std::vector<std::string>& tokens) {
  const auto member = config.find(key);
  if (!member) return std::nullopt;
  if (!member->is_text() && !member->is_object()) member->fail_at_value("a string or an object");
  const JsonNode name = member->is_text() ? *member : (*member)["content"];
  const auto at = std::find(tokens.begin(), tokens.end(), name.text());
  if (at == tokens.end())
    name.fail("is " + in_quotes(name.text()) + ", which the vocabulary lacks");
  return at - tokens.begin();
}

/// The token that ends a sequence, by the names that are usual for it.
inline std::optional<Index> usual_end(const TokenizerDescription& description) {
  for (const std::string_view name :
       {"<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "</s>"})
    for (const AddedToken& token : description.added_tokens)
      if (token.special && description.tokens[static_cast<std::size_t>(token.id)] == name)
        return token.id;
  return std::nullopt;
}

/// A tokenizer.json, and the tokenizer_config.json beside it, which says how a sequence begins and
/// ends. Where there is none, or it does not say, a usual name tells the end.
inline TokenizerDescription load_tokenizer_json(const std::filesystem::path& path) {
  const std::string where = "load_tokenizer: \"" + path.string() + "\"";
  TokenizerDescription description =
      tokenizer_of_json(text_of(MappedFile(path, "load_tokenizer").bytes()), where);
  const std::filesystem::path beside = path.parent_path() / "tokenizer_config.json";
  if (std::filesystem::is_regular_file(beside)) {
    const std::string config_where = "load_tokenizer: \"" + beside.string() + "\"";
    const nlohmann::json json = read_json(beside, "load_tokenizer");
    const JsonNode config(json, "", config_where);
    description.begin = read_named_token(config, "bos_token", description.tokens);
    description.end = read_named_token(config, "eos_token", description.tokens);
  }
  if (!description.end) description.end = usual_end(description);
  return description;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
