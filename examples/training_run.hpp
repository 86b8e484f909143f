#pragma once

#include <attn/io/safetensors.hpp>
#include <attn/plot.hpp>
#include <attn/train.hpp>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// What a run has done so far, for its picture: pairs of a step and what was found at it.
struct History {
  std::vector<double> step, loss, evaluated, found;

  /// The losses and what was found, over the steps.
  attn::plot::Figure figure(const std::string& title, const std::string& what_was_found, std::optional<attn::plot::Range> range = std::nullopt) const {
    using namespace attn::plot;
    std::vector<double> smooth = loss;  // a step counts a fiftieth less with each that follows
    for (std::size_t i = 1; i < smooth.size(); ++i) smooth[i] = 0.98 * smooth[i - 1] + 0.02 * smooth[i];
    const Curves learning{
        .title = "What is learnt from", .x = {.title = "step"}, .y = {.title = "loss", .scale = Scale::log10}, .curves = {{.x = step, .y = std::move(smooth)}}};
    const Curves unseen{.title = "What is not",
                        .x = {.title = "step"},
                        .y = {.title = what_was_found, .range = range},
                        .curves = {{.x = evaluated, .y = found, .markers = true}}};
    Figure result{.title = title, .panels = {}};
    result.panels = {learning, unseen};
    return result;
  }
};

/// A model in training, and all that it needs to go on where it was: a run that is saved and loaded ends with the same bits as one that
/// is not. It must stay where it is.
template <class Model>
struct TrainingRun {
  attn::Random random;
  Model model;
  attn::Adam<float> adam;
  History history;
  attn::Index step = 0;
  double seconds = 0;

  template <class Options>
  TrainingRun(const Options& options, std::uint64_t seed)
      : random{seed}, model(options, random), adam(model.parameters(), {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-9}) {}
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  /// One step: `logits_of(tape)` are the model's (B, L, V) for the targets (B, L). Gives the loss and those logits.
  template <class LogitsOf>
  std::pair<double, attn::Tensor<float, 3>> learn(LogitsOf&& logits_of, const attn::Tensor<attn::Index, 2>& targets, double rate) {
    attn::Tape<float> tape{random};
    const auto logits = logits_of(tape);
    const auto loss = attn::cross_entropy(logits, targets);
    adam.zero_grad();
    tape.backward(loss);
    attn::clip_gradient_norm(model.parameters(), 1.0);
    adam.step(rate);
    ++step;
    return {static_cast<double>(loss.value()(0)), logits.value()};
  }

  /// `kind` says whose run it is, for `load` to refuse another's.
  void save(const std::filesystem::path& path, const std::string& kind) const {
    attn::SafeTensorsWriter writer;
    for (const auto& p : model.parameters()) writer.add("model." + p.name, p.shape, p.value);
    adam.visit_state([&](const std::string& name, const std::vector<attn::Index>& shape, auto values) { writer.add("adam." + name, shape, values); });
    for (const auto& [name, values] : curves(history))
      writer.add("history." + name, {static_cast<attn::Index>(values->size())}, std::span<const double>(*values));
    writer.save(path,
                {{"run", kind},
                 {"step", std::to_string(step)},
                 {"seed", std::to_string(random.seed)},
                 {"draws", std::to_string(random.counter)},
                 {"milliseconds", std::to_string(static_cast<std::uint64_t>(1000 * seconds))}},
                "save");
  }

  /// Errors: FileError if it is no such file or another program's.
  void load(const std::filesystem::path& path, const std::string& kind) {
    const attn::SafeTensors file = attn::load_safetensors(path);
    const auto& said = file.metadata();
    if (const auto run = said.find("run"); run == said.end() || run->second != kind)
      throw attn::FileError("resume: \"" + path.string() + "\" must be a checkpoint of " + kind);
    const auto number = [&](const std::string& name) {
      std::uint64_t value = 0;
      const auto at = said.find(name);
      if (at == said.end() || std::from_chars(at->second.data(), at->second.data() + at->second.size(), value).ec != std::errc{})
        throw attn::FileError("resume: \"" + path.string() + "\" must say its number of " + name);
      return value;
    };
    model.load_state_dict(file, "model.");
    adam.load_state_dict(file, "adam.");
    for (const auto& [name, values] : curves(history)) *values = file.values<double>("history." + name);
    step = static_cast<attn::Index>(number("step")), random = {number("seed"), number("draws")};
    seconds = static_cast<double>(number("milliseconds")) / 1000;
  }

 private:
  template <class H>
  static auto curves(H& history) {
    return std::map<std::string, decltype(&history.step)>{
        {"step", &history.step}, {"loss", &history.loss}, {"evaluated", &history.evaluated}, {"found", &history.found}};
  }
};
