// Teaches a decoder-only transformer a text, character by character, and writes some of its own as
// it goes.
//
//   train_characters TEXT [--steps 2000] [--context 128] [--width 128] [--temperature 0.8]
//   [--prompt "..."] ...   (--help names all options)
//
// TEXT is any file in UTF-8. Its last twentieth is not learnt from: the loss there says how well
// the model knows what it has not seen. Ctrl-C saves, and says how to go on.
//
// Exit status: 0, 130 after Ctrl-C, or 2 for input that cannot be used, with one sentence on
// standard error.

#include <fstream>
#include <iostream>
#include <iterator>

#include "character_model.hpp"
#include "most_likely.hpp"
#include "program.hpp"
#include "save_half.hpp"
#include "training_options.hpp"
#include "words.hpp"

using attn::Index, attn::Tensor;

std::u32string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::invalid_argument("cannot read \"" + path + "\"");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!is_utf8(bytes))
    throw std::invalid_argument("\"" + path +
                                "\" has bytes that are not UTF-8; it must be text in UTF-8");
  return attn::plot::decode_utf8(bytes);
}

/// Stretches of a text, and the same ones a character later.
struct Stretches {
  Tensor<Index, 2> in, out;

  Stretches(const std::vector<Index>& tokens, const std::vector<Index>& begins, Index length)
      : in({static_cast<Index>(begins.size()), length}),
        out({static_cast<Index>(begins.size()), length}) {
    for (std::size_t b = 0; b < begins.size(); ++b) {
      const auto begin = tokens.begin() + begins[b];
      std::copy(begin, begin + length, in[static_cast<Index>(b)].data()),
          std::copy(begin + 1, begin + length + 1, out[static_cast<Index>(b)].data());
    }
  }
};
Stretches drawn(const std::vector<Index>& tokens, Index count, Index length, attn::Random& random) {
  std::vector<Index> begins;
  for (Index i = 0; i < count; ++i) begins.push_back(random.index(std::ssize(tokens) - length));
  return {tokens, begins, length};
}

double share_right(const Tensor<float, 3>& logits, const Tensor<Index, 2>& targets) {
  const Tensor<Index, 2> best = most_likely(logits);
  return static_cast<double>((best.flat().array() == targets.flat().array()).count()) /
         static_cast<double>(targets.size());
}

int main(int argc, char** argv) {
  TrainingOptions options{.steps = 2000,
                          .batch = 16,
                          .output = "characters.safetensors",
                          .plot = "train_characters.png",
                          .checkpoint = "characters.checkpoint"};
  CharacterModelOptions model{.vocabulary = 0};
  std::string path, prompt = "\n";
  double temperature = 0.8;
  Index sample = 300, context = 128;
  CLI::App app{"Teaches a decoder-only transformer a text, character by character."};
  app.add_option("text", path, "a file in UTF-8")->required();
  app.add_option("--context", context, "characters that are looked at")->capture_default_str();
  app.add_option("--width", model.width, "of the model")->capture_default_str();
  app.add_option("--heads", model.heads, "of each layer")->capture_default_str();
  app.add_option("--layers", model.layers, "of the model")->capture_default_str();
  app.add_option("--dropout", model.dropout, "share of numbers that are dropped in training")
      ->capture_default_str();
  app.add_option("--temperature", temperature,
                 "of samples: 0 writes the most likely, 1 draws as the model says")
      ->capture_default_str();
  app.add_option("--prompt", prompt, "what samples begin with; by default a new line");
  app.add_option("--sample", sample, "characters of a sample")->capture_default_str();
  options.add_to(app);
  return run_program("train_characters", app, argc, argv, [&] {
    options.check();
    TrainingOptions::need(temperature >= 0 && std::isfinite(temperature), "temperature",
                          temperature, "at least 0");
    TrainingOptions::need(context >= 2 && context <= 4096, "context", static_cast<double>(context),
                          "from 2 to 4096");
    TrainingOptions::need(sample >= 0 && sample <= 100'000, "sample", static_cast<double>(sample),
                          "from 0 to 100000");
    if (options.threads > 0) attn::set_num_threads(options.threads);
    const std::u32string text = text_of(path);
    const Characters characters(text);
    const std::vector<Index> tokens = characters.encode(text);
    const Index length = std::ssize(tokens), held_out = std::max(length / 20, context + 1);
    if (length - held_out <= context)
      throw std::invalid_argument("\"" + path + "\" has " + std::to_string(length) +
                                  " characters; for --context " + std::to_string(context) +
                                  " it must have at least " + std::to_string(2 * context + 2));
    const std::vector<Index> learnt(tokens.begin(), tokens.end() - held_out),
        unseen(tokens.end() - held_out, tokens.end());
    std::vector<Index> beginning =
        prompt == "\n" && characters.all.find(U'\n') == characters.all.npos
            ? std::vector{tokens.front()}
            : characters.encode(attn::plot::decode_utf8(prompt));
    if (beginning.empty()) beginning = {tokens.front()};
    model.vocabulary = characters.count();
    TrainingRun<CharacterModel> run(model, options.seed);
    if (!options.resume.empty()) attn::load_checkpoint(options.resume, run.checkpoint());

    Progress progress;
    progress.say(std::to_string(length) + " characters, " + std::to_string(model.vocabulary) +
                 " different ones");
    const auto step = [&](double rate) {
      const Stretches batch = drawn(learnt, options.batch, context, run.random);
      const auto [loss, logits] =
          run.learn([&](auto& tape) { return run.model(tape, batch.in); }, batch.out, rate);
      return std::pair(loss, share_right(logits, batch.out));
    };
    const auto pause = [&] {
      attn::Random random{1};  // the same stretches every time
      const Stretches some = drawn(unseen, 16, context, random);
      const double loss =
          static_cast<double>(attn::cross_entropy(std::as_const(run.model)(some.in), some.out)(0));
      run.history.evaluated.push_back(static_cast<double>(run.step)),
          run.history.found.push_back(loss);
      char line[96];
      std::snprintf(line, sizeof line, "step %ld: loss %.3f on what is not learnt from; a sample:",
                    static_cast<long>(run.step), loss);
      progress.say(line);
      progress.say(
          characters.decode(continued(run.model, beginning, sample, context, temperature, random)) +
          "\n");
    };
    if (!train(run, options, 2e-3, progress, step, pause)) {
      attn::save_checkpoint(options.checkpoint, run.checkpoint());
      progress.say("saved at step " + std::to_string(run.step) +
                   "; to go on: " + options.command_to_resume(argc, argv));
      return 130;
    }
    save_half(run.model, options.output, {{"characters", attn::plot::encode_utf8(characters.all)}});
    run.history.figure("A text, character by character", "loss").save(options.plot);
    progress.say("after " + clock_text(progress.elapsed()) + ": wrote " + options.output + " and " +
                 options.plot);
    return 0;
  });
}
