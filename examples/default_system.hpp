#pragma once

#include <attn/files/mapped_file.hpp>
#include <attn/io/gguf.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "chat_template.hpp"

namespace detail {

inline std::string text_of(const std::filesystem::path& path) {
  const attn::MappedFile file(path, "chat");
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a model says of its conversations, in the language Jinja: of a GGUF file or a folder of
/// Hugging Face. Empty if it says nothing.
inline std::string conversation_template(const std::filesystem::path& model) {
  constexpr const char* key = "tokenizer.chat_template";
  if (!std::filesystem::is_directory(model)) {
    const attn::Gguf file = attn::load_gguf(model);
    return file.contains_metadata(key) ? file.metadata<std::string>(key) : "";
  }
  if (const auto path = model / "chat_template.jinja"; std::filesystem::exists(path))
    return text_of(path);
  const auto path = model / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return "";
  const auto config = nlohmann::json::parse(text_of(path), nullptr, false);
  if (!config.is_object() || !config.contains("chat_template")) return "";
  const auto& text = config["chat_template"];
  return text.is_string() ? text.get<std::string>() : "";
}

/// All `from` in a text become `to`.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace detail

/// What a model was told in training where a conversation had no system turn: in its template the
/// turn that is written out as one literal. Empty if there is none.
inline std::string default_system(const std::filesystem::path& model, const ChatTemplate& turns) {
  if (!turns.has_roles()) return "";
  const std::string all = detail::replaced(detail::conversation_template(model), "\\n", "\n");
  const std::string before = turns.before_role + "system" + turns.after_role;
  for (std::size_t at = 0; (at = all.find(before, at)) != std::string::npos;) {
    at += before.size();
    const std::size_t end = all.find(turns.after_turn, at);
    if (end == std::string::npos) break;
    std::string text = all.substr(at, end - at);
    const bool is_literal = text.find_first_of("{}+") == std::string::npos;
    if (is_literal && !text.empty()) return text;
  }
  return "";
}
