// Talks with a language model in a terminal.
//
//   chat MODEL [--prompt TEXT] [--system TEXT] [--temperature 0.7] [--top-p 0.9] [--seed 1] ...
//   (--help lists all options)
//
// MODEL is a GGUF file, or a folder of Hugging Face with config.json, tokenizer.json and the
// weights as safetensors. With --prompt there is one answer; otherwise each line of the input is a
// turn of the conversation. Ctrl-C ends an answer, the end of the input ends the program.
//
// Exit status: 0, or 2 for input that cannot be used, with one sentence on standard error.

#include <unistd.h>

#include <attn/attn.hpp>
#include <attn/io/language_model.hpp>
#include <attn/plot.hpp>
#include <attn/text.hpp>
#include <iostream>

#include "chat_template.hpp"
#include "default_system.hpp"
#include "interrupt.hpp"
#include "layer_and_head.hpp"
#include "program.hpp"
#include "progress.hpp"

using attn::Index;

struct ChatOptions {
  std::string model, prompt, attention, output = "chat_attention.png";
  std::optional<std::string> system;
  Index context = 4096;
  attn::SamplingOptions sampling{.max_new_tokens = 512};

  void add_to(CLI::App& app) {
    app.add_option("model", model, "a GGUF file, or a folder of Hugging Face")->required();
    app.add_option("--prompt", prompt, "answers this text, and ends");
    app.add_option("--system", system,
                   "what the model is told before the conversation; by default what its template "
                   "says, \"\": nothing");
    app.add_option("--temperature", sampling.temperature, "0: always the most likely token")
        ->capture_default_str();
    app.add_option("--top-k", sampling.top_k, "draws from the k most likely tokens; 0: from all")
        ->capture_default_str();
    app.add_option("--top-p", sampling.top_p,
                   "draws from the most likely tokens that have this probability together")
        ->capture_default_str();
    app.add_option("--min-p", sampling.min_p,
                   "draws from tokens of at least this part of the largest probability")
        ->capture_default_str();
    app.add_option("--repetition-penalty", sampling.repetition_penalty,
                   "above 1 makes tokens that have occurred less likely")
        ->capture_default_str();
    app.add_option("--seed", sampling.seed, "seed of what is drawn")
        ->check(not_negative)
        ->capture_default_str();
    app.add_option("--max-tokens", sampling.max_new_tokens, "tokens of an answer, at most")
        ->capture_default_str();
    app.add_option("--context", context, "tokens of the conversation, at most")
        ->capture_default_str();
    app.add_option("--attention", attention,
                   "LAYER,HEAD, counted from 0: draws what the last answer attended to");
    app.add_option("--output", output, "file of that picture, PNG")->capture_default_str();
  }
};

/// A bar on a terminal while the weights are read.
void show_loading(double done) {
  if (isatty(STDERR_FILENO) == 0) return;
  const auto marks = static_cast<std::size_t>(20 * done);
  std::cerr << "\r[" << std::string(marks, '=') << std::string(20 - marks, ' ') << "] loading"
            << std::flush;
  if (done >= 1) std::cerr << "\r\x1b[K" << std::flush;
}

class Chat {
 public:
  explicit Chat(ChatOptions options)
      : options_(std::move(options)),
        model_(attn::load_language_model<float>(options_.model, {.on_progress = show_loading})),
        tokenizer_(attn::load_tokenizer(options_.model)),
        cache_(model_.cache(1, context())),
        conversation_(tokenizer_) {
    if (!options_.attention.empty())
      head_ =
          layer_and_head(options_.attention, model_.options.num_layers, model_.options.layer.nhead);
    options_.sampling.end = conversation_.end();
    const std::string system = options_.system
                                   ? *options_.system
                                   : default_system(options_.model, ChatTemplate::of(tokenizer_));
    if (!system.empty()) conversation_.add_turn("system", system);
  }

  /// Streams the answer to standard output, and its speed to standard error.
  void answer(const std::string& text) {
    conversation_.add_turn("user", text);
    conversation_.begin_answer();
    const Index length = std::ssize(conversation_.tokens());
    if (length >= context())
      throw std::invalid_argument("the conversation has " + std::to_string(length) +
                                  " tokens; it must have fewer than the context, " +
                                  std::to_string(context()));
    attn::SamplingOptions sampling = options_.sampling;
    sampling.max_new_tokens = std::min(sampling.max_new_tokens, context() - length);
    attn::TextStream stream(tokenizer_, {.skip_special_tokens = true});
    const Interrupt interrupt;
    double first = 0;
    const auto show = [&](Index token) {
      if (first == 0) first = Progress::seconds();
      std::cout << stream.add(token) << std::flush;
      return !interrupt.requested();
    };
    answer_begin_ = length;
    const std::vector<Index> tokens =
        model_.generate(conversation_.tokens(), sampling, cache_, show);
    std::cout << stream.finish() << std::endl;
    report(std::ssize(tokens), Progress::seconds() - first);
    conversation_.add_answer(tokens);
    answer_end_ = answer_begin_ + std::ssize(tokens);
  }

  /// The picture of --attention, if there was an answer.
  void draw() const {
    if (!head_ || answer_end_ == answer_begin_) return;
    constexpr Index most = 48;  // labels that can be read
    const Index end = answer_end_, begin = std::max(answer_begin_, end - most);
    const Index first_key = std::max<Index>(0, end - 2 * most);
    attn::Tensor<Index, 2> tokens({1, end});
    std::copy_n(conversation_.tokens().begin(), end, tokens.data());
    const auto weights = model_.with_weights(tokens).weights[head_->layer];
    const auto part = weights[0][head_->head].slice(0, begin, end).slice(1, first_key, end);
    const std::string title = "What the answer attended to: layer " + std::to_string(head_->layer) +
                              ", head " + std::to_string(head_->head);
    attn::plot::attention_map(
        part, {.queries = labels(begin, end), .keys = labels(first_key, end), .title = title})
        .save(options_.output);
    std::cerr << "wrote \"" << options_.output << "\"\n";
  }

 private:
  Index context() const { return std::min(options_.context, model_.options.max_length); }
  void report(Index tokens, double seconds) const {
    std::fprintf(stderr, "[%d tokens", static_cast<int>(tokens));
    if (tokens > 1 && seconds > 0)
      std::fprintf(stderr, ", %.1f a second", static_cast<double>(tokens - 1) / seconds);
    std::fprintf(stderr, "]\n");
  }
  std::vector<std::string> labels(Index begin, Index end) const {
    std::vector<std::string> all;
    for (Index i = begin; i < end; ++i) {
      std::string text = tokenizer_.decode({conversation_.tokens()[static_cast<std::size_t>(i)]});
      for (char& c : text) c = c == '\n' ? ' ' : c;
      all.push_back(attn::is_utf8(text) ? text : "?");
    }
    return all;
  }

  ChatOptions options_;
  attn::LanguageModel<float> model_;
  attn::Tokenizer tokenizer_;
  attn::LanguageModelCache<float> cache_;
  Conversation conversation_;
  std::optional<LayerAndHead> head_;
  Index answer_begin_ = 0, answer_end_ = 0;
};

int main(int argc, char** argv) {
  ChatOptions options;
  CLI::App app{"Talks with a language model in a terminal."};
  options.add_to(app);
  return run_program("chat", app, argc, argv, [&] {
    if (options.context < 2)
      throw std::invalid_argument("--context = " + std::to_string(options.context) +
                                  " must be at least 2");
    options.sampling.check(std::numeric_limits<Index>::max());
    if (!attn::is_utf8(options.prompt) || !attn::is_utf8(options.system.value_or("")))
      throw std::invalid_argument("--prompt and --system must be text in UTF-8");
    const bool one_answer = app.count("--prompt") > 0, is_terminal = isatty(STDIN_FILENO) != 0;
    Chat chat(options);
    if (one_answer) chat.answer(options.prompt);
    for (std::string line; !one_answer;) {
      if (is_terminal) std::cerr << "> " << std::flush;
      if (!std::getline(std::cin, line)) break;
      if (!line.empty()) chat.answer(line);
    }
    chat.draw();
    return 0;
  });
}
