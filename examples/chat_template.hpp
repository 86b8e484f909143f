#pragma once

#include <attn/text.hpp>
#include <string>
#include <vector>

/// How a chat model was trained to read a conversation: what stands before and after each turn, by
/// the special tokens that its tokenizer has. Roles are "system", "user" and "assistant".
struct ChatTemplate {
  std::string before_role, after_role, after_turn, after_end;
  std::string end;  ///< the token that ends an answer; empty: the tokenizer's

  /// The model's: ChatML (SmolLM2, Qwen), Llama 3's, or for a model that is not made for
  /// conversations the texts alone, a line each.
  static ChatTemplate of(const attn::Tokenizer& tokenizer) {
    if (tokenizer.id("<|im_start|>"))
      return {"<|im_start|>", "\n", "<|im_end|>", "\n", "<|im_end|>"};
    if (tokenizer.id("<|start_header_id|>"))
      return {"<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", "", "<|eot_id|>"};
    return {"", "", "\n", "", ""};
  }
  bool has_roles() const { return !before_role.empty(); }
};

/// The tokens of a conversation. What people write is never taken for special tokens.
class Conversation {
 public:
  explicit Conversation(const attn::Tokenizer& tokenizer)
      : tokenizer_(tokenizer), template_(ChatTemplate::of(tokenizer)) {
    if (tokenizer.begin() && !tokenizer.id("<|im_start|>")) tokens_.push_back(*tokenizer.begin());
  }

  const std::vector<attn::Index>& tokens() const { return tokens_; }
  /// The token that ends an answer, if there is one.
  std::vector<attn::Index> end() const {
    if (const auto id = tokenizer_.id(template_.end); id && !template_.end.empty()) return {*id};
    return tokenizer_.has_end() ? std::vector{tokenizer_.end()} : std::vector<attn::Index>{};
  }

  void add_turn(const std::string& role, const std::string& text) {
    begin_turn(role);
    append(tokenizer_.encode(text, {.add_special_tokens = false, .split_special_tokens = true}));
    add_template(template_.after_turn + template_.after_end);
  }
  void begin_answer() { begin_turn("assistant"); }
  /// The answer of the model, with or without the token that ends it.
  void add_answer(const std::vector<attn::Index>& answer) {
    append(answer);
    const std::vector<attn::Index> last = end();
    const bool has_ended = !answer.empty() && !last.empty() && answer.back() == last.front();
    add_template((has_ended ? "" : template_.after_turn) + template_.after_end);
  }

 private:
  void begin_turn(const std::string& role) {
    if (template_.has_roles()) add_template(template_.before_role + role + template_.after_role);
  }
  void add_template(const std::string& text) {
    append(tokenizer_.encode(text, {.add_special_tokens = false}));
  }
  void append(const std::vector<attn::Index>& more) {
    tokens_.insert(tokens_.end(), more.begin(), more.end());
  }

  const attn::Tokenizer& tokenizer_;
  ChatTemplate template_;
  std::vector<attn::Index> tokens_;
};
