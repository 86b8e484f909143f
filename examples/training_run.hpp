#pragma once

#include <attn/io/checkpoint.hpp>
#include <attn/plot.hpp>
#include <attn/train.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a run has measured since it was started or resumed: the training loss at each step, and a
/// validation measure at some of them.
struct History {
  std::vector<double> step, loss, validation_step, validation;

  void add_loss(attn::Index at, double value) {
    step.push_back(static_cast<double>(at));
    loss.push_back(value);
  }
  void add_validation(attn::Index at, double value) {
    validation_step.push_back(static_cast<double>(at));
    validation.push_back(value);
  }

  /// Both as curves over the steps. The training loss is an exponential moving average with a decay
  /// of 0.98 per step; `measure` and `unit` name what validation measures.
  attn::plot::Figure figure(const std::string& title, const std::string& measure,
                            const std::string& unit,
                            std::optional<attn::plot::Range> range = std::nullopt) const {
    using namespace attn::plot;
    std::vector<double> average = loss;
    for (std::size_t i = 1; i < average.size(); ++i)
      average[i] = 0.98 * average[i - 1] + 0.02 * average[i];
    const Curves training_loss{.title = "Training loss",
                               .x = {.title = "step"},
                               .y = {.title = "cross-entropy", .scale = Scale::log10},
                               .curves = {{.x = step, .y = std::move(average)}}};
    const Curves validation_curve{
        .title = "Validation " + measure,
        .x = {.title = "step"},
        .y = {.title = unit, .range = range},
        .curves = {{.x = validation_step, .y = validation, .markers = true}}};
    return {.title = title, .panels = {training_loss, validation_curve}};
  }
};

/// A model in training. A run that is saved and resumed ends bitwise identical to one that is not
/// interrupted. It cannot be copied or moved, since its optimizer refers to its model.
template <class Model>
struct TrainingRun {
  attn::Random random;
  Model model;
  attn::Adam<float> adam;
  History history;
  attn::Index step = 0;

  template <class Options>
  TrainingRun(const Options& options, std::uint64_t seed)
      : random{seed},
        model(options, random),
        adam(model.parameters(), {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-9}) {}
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  /// One optimizer step. `logits_of(tape)` computes the model's (B, L, V) for the targets (B, L).
  /// Returns the loss and those logits.
  template <class LogitsOf>
  std::pair<double, attn::Tensor<float, 3>> learn(LogitsOf&& logits_of,
                                                  const attn::Tensor<attn::Index, 2>& targets,
                                                  double rate) {
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

  /// All that is saved and loaded.
  auto checkpoint() { return attn::Checkpoint{model, adam, random, step}; }
};
