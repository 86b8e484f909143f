#pragma once

#include <gtest/gtest.h>

#include <attn/text/text_stream.hpp>
#include <attn/text/tokenizer_json.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

// Small tokenizers and what Hugging Face's tokenizers makes of texts of all kinds:
// tests/data/make_tokenizer_cases.py.

inline const nlohmann::json& tokenizer_cases() {
  static const nlohmann::json file =
      nlohmann::json::parse(std::ifstream(ATTN_TESTS_DATA "/tokenizers/cases.json"));
  return file;
}

inline attn::Tokenizer small_tokenizer(const std::string& name) {
  const std::filesystem::path path = ATTN_TESTS_DATA "/tokenizers/" + name + ".json";
  return attn::Tokenizer(attn::detail::load_tokenizer_json(path), name);
}

inline std::string streamed(const attn::Tokenizer& tokenizer, const std::vector<attn::Index>& ids,
                            const attn::DecodeOptions& options = {}) {
  attn::TextStream stream(tokenizer, options);
  std::string text;
  for (const attn::Index id : ids) {
    const std::string part = stream.add(id);
    EXPECT_TRUE(attn::is_utf8(part));
    text += part;
  }
  return text + stream.finish();
}
