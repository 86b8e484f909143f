// Trains a small language model on a text, character by character, and prints text that it
// generates meanwhile.
//
//   train_characters TEXT [--steps 2000] [--context 128] [--width 128] [--temperature 0.8]
//                    [--prompt "..."] ...
//   (--help lists all options)
//
// TEXT is any file in UTF-8. Its last twentieth is held out of training, for the validation loss.
// Ctrl-C saves a checkpoint and prints the command that resumes the run.
//
// Exit status: 0, 130 after Ctrl-C, or 2 for input that cannot be used, with one sentence on
// standard error.

#include <attn/files/utf8.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "characters.hpp"
#include "most_likely.hpp"
#include "program.hpp"
#include "save_half.hpp"
#include "training_options.hpp"

using attn::Index, attn::Tensor;

std::u32string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw std::invalid_argument("cannot read \"" + path + "\"; it must be a file");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!attn::is_utf8(bytes))
    throw std::invalid_argument("\"" + path +
                                "\" has bytes that are not UTF-8; it must be text in UTF-8");
  return attn::decode_utf8(bytes);
}

/// The tokens of a text: those for training, and those that are held out.
struct Split {
  std::vector<Index> training, held_out;
};
Split split(const std::vector<Index>& tokens, Index context, const std::string& path) {
  const Index length = std::ssize(tokens), held_out = std::max(length / 20, context + 1);
  if (length - held_out <= context)
    throw std::invalid_argument("\"" + path + "\" has " + std::to_string(length) +
                                " characters; for --context " + std::to_string(context) +
                                " it must have at least " + std::to_string(2 * context + 2));
  return {{tokens.begin(), tokens.end() - held_out}, {tokens.end() - held_out, tokens.end()}};
}

/// Sections of a text, (B, L), and the same sections one character later.
struct Batch {
  Tensor<Index, 2> in, out;

  Batch(const std::vector<Index>& tokens, Index count, Index length, attn::Random& random)
      : in({count, length}), out({count, length}) {
    for (Index b = 0; b < count; ++b) {
      const auto begin = tokens.begin() + random.index(std::ssize(tokens) - length);
      std::copy(begin, begin + length, in[b].data());
      std::copy(begin + 1, begin + length + 1, out[b].data());
    }
  }
};

double accuracy(const Tensor<float, 3>& logits, const Tensor<Index, 2>& targets) {
  const Tensor<Index, 2> best = most_likely(logits);
  return static_cast<double>((best.flat().array() == targets.flat().array()).count()) /
         static_cast<double>(targets.size());
}

/// The options of this program besides those of all training programs.
struct CharacterOptions {
  CharacterModelOptions model{.vocabulary = 0};
  attn::SamplingOptions sampling{.max_new_tokens = 300, .temperature = 0.8, .seed = 1};
  std::string path, prompt = "\n";

  void add_to(CLI::App& app) {
    app.add_option("text", path, "a file in UTF-8")->required();
    app.add_option("--context", model.context, "number of characters that the model attends to")
        ->capture_default_str();
    app.add_option("--width", model.width, "model dimension")->capture_default_str();
    app.add_option("--heads", model.heads, "attention heads per layer")->capture_default_str();
    app.add_option("--layers", model.layers, "number of layers")->capture_default_str();
    app.add_option("--dropout", model.dropout, "dropout probability in training")
        ->capture_default_str();
    app.add_option("--temperature", sampling.temperature,
                   "sampling temperature; 0: the most likely character")
        ->capture_default_str();
    app.add_option("--prompt", prompt, "the beginning of each sample; by default a new line");
    app.add_option("--sample", sampling.max_new_tokens, "characters per sample")
        ->capture_default_str();
  }
  void check() const {
    TrainingOptions::need(sampling.temperature >= 0 && std::isfinite(sampling.temperature),
                          "temperature", sampling.temperature, "at least 0");
    TrainingOptions::need(model.context >= 2 && model.context <= 4096, "context",
                          static_cast<double>(model.context), "from 2 to 4096");
    TrainingOptions::need(sampling.max_new_tokens >= 0 && sampling.max_new_tokens <= 100'000,
                          "sample", static_cast<double>(sampling.max_new_tokens),
                          "from 0 to 100000");
  }
  /// The tokens of the prompt; the first of the text, if the prompt is empty or is the new line
  /// that the text does not have.
  std::vector<Index> prompt_tokens(const Characters& characters, Index first) const {
    const bool has_new_line = characters.all.find(U'\n') != characters.all.npos;
    if (prompt.empty() || (prompt == "\n" && !has_new_line)) return {first};
    return characters.encode(attn::decode_utf8(prompt));
  }
};

int main(int argc, char** argv) {
  TrainingOptions options{.steps = 2000,
                          .batch = 16,
                          .peak_rate = 2e-3,
                          .output = "characters.safetensors",
                          .plot = "train_characters.png",
                          .checkpoint = "characters.checkpoint"};
  CharacterOptions own;
  CLI::App app{"Trains a decoder-only transformer on a text, character by character."};
  own.add_to(app);
  options.add_to(app);
  return run_program("train_characters", app, argc, argv, [&] {
    options.check();
    own.check();
    if (options.threads > 0) attn::set_num_threads(options.threads);
    const std::u32string text = read_text(own.path);
    const Characters characters(text);
    const std::vector<Index> tokens = characters.encode(text);
    const Index context = own.model.context;
    const Split data = split(tokens, context, own.path);
    const std::vector<Index> prompt = own.prompt_tokens(characters, tokens.front());
    own.model.vocabulary = characters.count();
    TrainingRun<attn::LanguageModel<float>> run(own.model.model(), options.seed);
    if (!options.resume.empty()) attn::load_checkpoint(options.resume, run.checkpoint());

    Progress progress;
    progress.say(std::to_string(tokens.size()) + " characters, " +
                 std::to_string(characters.count()) + " different ones");
    const auto step = [&](double rate) {
      const Batch batch(data.training, options.batch, context, run.random);
      const auto [loss, logits] =
          run.learn([&](auto& tape) { return run.model(tape, batch.in); }, batch.out, rate);
      return std::pair(loss, accuracy(logits, batch.out));
    };
    const auto validate = [&] {
      attn::Random random{1};  // the same sections each time
      const Batch batch(data.held_out, 16, context, random);
      const auto loss = static_cast<double>(
          attn::cross_entropy(std::as_const(run.model)(batch.in), batch.out)(0));
      run.history.add_validation(run.step, loss);
      char line[96];
      std::snprintf(line, sizeof line,
                    "step %ld: validation loss %.3f; a sample:", static_cast<long>(run.step), loss);
      progress.say(line);
      const std::vector<Index> sample = run.model.generate(prompt, own.sampling);
      progress.say(characters.decode(prompt) + characters.decode(sample) + "\n");
    };
    if (!train(run, options, progress, step, validate)) {
      attn::save_checkpoint(options.checkpoint, run.checkpoint());
      progress.say("saved at step " + std::to_string(run.step) +
                   "; to resume: " + options.command_to_resume(argc, argv));
      return 130;
    }
    save_half(run.model, options.output, {{"characters", attn::encode_utf8(characters.all)}});
    run.history.figure("A text, character by character", "loss", "cross-entropy")
        .save(options.plot);
    progress.say("after " + clock_text(progress.elapsed()) + ": wrote " + options.output + " and " +
                 options.plot);
    return 0;
  });
}
