#pragma once

/// Text to tokens and back, with the ids of Hugging Face's tokenizers. It needs utf8proc and
/// nlohmann/json, which nothing else of attn.hpp does.
///
///   const attn::Tokenizer tokenizer = attn::load_tokenizer("model.gguf");
///   const std::vector<attn::Index> ids = tokenizer.encode("Hello, world!");
///   const std::string text = tokenizer.decode(ids);

#include <attn/text/load_tokenizer.hpp>
#include <attn/text/load_word_piece.hpp>
#include <attn/text/text_stream.hpp>
