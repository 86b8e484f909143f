// Trains the model of the paper, at a small size, to write dates in ISO form: from "the 5th of
// March, 1998" it writes 1998-03-05.
//
//   train_dates [--steps 3000] [--output dates.safetensors] [--plot train_dates.png] ...
//   (--help lists all options)
//
// 2,000 dates of the calendar are held out of training in every form; at the end the model writes
// all of them. Ctrl-C saves a checkpoint and prints the command that resumes the run.
//
// Exit status: 0, 130 after Ctrl-C, or 2 for input that cannot be used, with one sentence on
// standard error.

#include <iostream>

#include "date_map.hpp"
#include "date_model.hpp"
#include "dates.hpp"
#include "most_likely.hpp"
#include "program.hpp"
#include "save_half.hpp"
#include "training_options.hpp"

using attn::Index;

/// Dates as they are read, and in ISO form.
struct Examples {
  std::vector<std::string> texts, isos;

  void add(Date date, attn::Random& random) {
    texts.push_back(written(date, random));
    isos.push_back(iso(date));
  }
  Examples first(std::size_t count) const {
    const auto end = static_cast<std::ptrdiff_t>(count);
    return {{texts.begin(), texts.begin() + end}, {isos.begin(), isos.begin() + end}};
  }
};

Examples drawn(const std::vector<Date>& dates, Index count, attn::Random& random) {
  Examples examples;
  for (Index i = 0; i < count; ++i)
    examples.add(dates[static_cast<std::size_t>(random.index(std::ssize(dates)))], random);
  return examples;
}
/// Each date once, in a form that is the same in every run.
Examples fixed(const std::vector<Date>& dates) {
  Examples examples;
  attn::Random random{1998};
  for (const Date date : dates) examples.add(date, random);
  return examples;
}

/// The examples that a model writes with a mistake, as indices, and the fraction of the others.
struct Evaluation {
  std::vector<std::size_t> wrong;
  double accuracy;
};
Evaluation evaluate(const DateModel& model, const Examples& examples) {
  const std::vector<std::string> written = write_iso(model, examples.texts);
  std::vector<std::size_t> wrong;
  for (std::size_t i = 0; i < written.size(); ++i)
    if (written[i] != examples.isos[i]) wrong.push_back(i);
  const std::size_t right = written.size() - wrong.size();
  return {wrong, static_cast<double>(right) / static_cast<double>(written.size())};
}

std::string percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * fraction);
  return text;
}

/// One step. Returns the loss of the batch and the fraction of its dates of which the model
/// predicts every letter, given the correct letters before it.
std::pair<double, double> learn(TrainingRun<DateModel>& run, const Examples& examples,
                                double rate) {
  const date_letters::Texts source(examples.texts);
  const date_letters::IsoTargets target(examples.isos);
  const auto [loss, logits] = run.learn(
      [&](auto& tape) { return run.model(tape, source.tokens, target.in, source.padding()); },
      target.out, rate);
  const attn::Tensor<Index, 2> best = most_likely(logits);
  double right = 0;
  for (Index b = 0; b < best.shape()[0]; ++b) right += best[b] == target.out[b];
  return {loss, right / static_cast<double>(best.shape()[0])};
}

/// The curves of the run, and what the model attends to in some dates.
attn::plot::Figure figure_of(const History& history, const DateModel& model,
                             const std::string& held_out) {
  attn::plot::Figure figure =
      history.figure("Dates in ISO form, written letter by letter", "accuracy", "% exactly right",
                     attn::plot::Range{-4, 104});
  figure.columns = 3;
  for (const std::string& text :
       {std::string("12 June 2017"), std::string("Thursday, 5 March 1998"),
        std::string("September the 21st, 2034"), held_out})
    figure.panels.push_back(date_panel(date_map(model, text), '"' + text + '"'));
  return figure;
}

int main(int argc, char** argv) {
  TrainingOptions options{.steps = 3000,
                          .batch = 64,
                          .peak_rate = 3e-3,
                          .output = "dates.safetensors",
                          .plot = "train_dates.png",
                          .checkpoint = "dates.checkpoint"};
  CLI::App app{"Trains a small transformer to write dates in ISO form, letter by letter."};
  options.add_to(app);
  return run_program("train_dates", app, argc, argv, [&] {
    options.check();
    if (options.threads > 0) attn::set_num_threads(options.threads);
    const DateSplit dates;
    const Examples held_out = fixed(dates.held_out);
    const Examples validation = held_out.first(500);
    TrainingRun<DateModel> run(date_model_options(), options.seed);
    if (!options.resume.empty()) attn::load_checkpoint(options.resume, run.checkpoint());

    Progress progress;
    const auto step = [&](double rate) {
      return learn(run, drawn(dates.training, options.batch, run.random), rate);
    };
    const auto validate = [&] {
      const double accuracy = evaluate(run.model, validation).accuracy;
      run.history.add_validation(run.step, 100 * accuracy);
      progress.say("step " + std::to_string(run.step) + ": of 500 held-out dates " +
                   percent(accuracy) + " exactly right");
    };
    if (!train(run, options, progress, step, validate)) {
      attn::save_checkpoint(options.checkpoint, run.checkpoint());
      progress.say("saved at step " + std::to_string(run.step) +
                   "; to resume: " + options.command_to_resume(argc, argv));
      return 130;
    }

    save_half(run.model, options.output);
    const DateModel saved = load_date_model(options.output);
    const auto [wrong, accuracy] = evaluate(saved, held_out);
    progress.say("after " + clock_text(progress.elapsed()) + ": of 2,000 held-out dates " +
                 percent(accuracy) + " exactly right");
    for (std::size_t i = 0; i < std::min<std::size_t>(5, wrong.size()); ++i) {
      const std::string& text = held_out.texts[wrong[i]];
      progress.say("  \"" + text + "\" is " + held_out.isos[wrong[i]] + ", but the model writes " +
                   write_iso(saved, {text}).front());
    }
    figure_of(run.history, saved, held_out.texts.front()).save(options.plot);
    progress.say("wrote " + options.output + " and " + options.plot);
    return 0;
  });
}
