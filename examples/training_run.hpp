#pragma once

#include <attn/io/checkpoint.hpp>
#include <attn/plot.hpp>
#include <attn/train.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a run has done since it was begun or resumed, for its picture: losses at steps, and what
/// was found where it was evaluated.
struct History {
  std::vector<double> step, loss, evaluated, found;

  /// The losses and what was found, over the steps.
  attn::plot::Figure figure(const std::string& title, const std::string& what_was_found,
                            std::optional<attn::plot::Range> range = std::nullopt) const {
    using namespace attn::plot;
    std::vector<double> smooth = loss;  // a step counts a fiftieth less with each that follows
    for (std::size_t i = 1; i < smooth.size(); ++i)
      smooth[i] = 0.98 * smooth[i - 1] + 0.02 * smooth[i];
    const Curves learning{.title = "What is learnt from",
                          .x = {.title = "step"},
                          .y = {.title = "loss", .scale = Scale::log10},
                          .curves = {{.x = step, .y = std::move(smooth)}}};
    const Curves unseen{.title = "What is not",
                        .x = {.title = "step"},
                        .y = {.title = what_was_found, .range = range},
                        .curves = {{.x = evaluated, .y = found, .markers = true}}};
    Figure result{.title = title, .panels = {}};
    result.panels = {learning, unseen};
    return result;
  }
};

/// A model in training. A run that is saved and loaded ends with the same bits as one that is not.
/// It must stay where it is.
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

  /// One step: `logits_of(tape)` are the model's (B, L, V) for the targets (B, L). Gives the loss
  /// and those logits.
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

  /// What is saved of it, and loaded.
  auto checkpoint() { return attn::Checkpoint{model, adam, random, step}; }
};
