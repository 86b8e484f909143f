// Teaches the paper's model, small, to write dates as people write them in ISO form: "the 5th of
// March, 1998" is 1998-03-05.
//
//   train_dates [--steps 3000] [--output dates.safetensors] [--plot train_dates.png]
//   ...      (--help names all options)
//
// 2,000 dates of the calendar are never learnt from in any form; at the end all of them are
// written. Ctrl-C saves, and says how to go on.
//
// Exit status: 0, 130 after Ctrl-C, or 2 for input that cannot be used, with one sentence on
// standard error.

#include <iostream>

#include "cross_attention.hpp"
#include "date_model.hpp"
#include "dates.hpp"
#include "most_likely.hpp"
#include "program.hpp"
#include "save_half.hpp"
#include "training_options.hpp"

using attn::Index;

/// Dates as they are read, and as they are to be written.
struct Examples {
  std::vector<std::string> texts, isos;

  void add(Date date, attn::Random& random) {
    texts.push_back(written(date, random)), isos.push_back(iso(date));
  }
};

Examples drawn(const std::vector<Date>& dates, Index count, attn::Random& random) {
  Examples examples;
  for (Index i = 0; i < count; ++i)
    examples.add(dates[static_cast<std::size_t>(random.index(std::ssize(dates)))], random);
  return examples;
}
/// Each date once, in a form that is always the same.
Examples fixed(const std::vector<Date>& dates) {
  Examples examples;
  attn::Random random{1998};
  for (const Date date : dates) examples.add(date, random);
  return examples;
}

/// The share of examples that are written without a mistake.
double share_right(const DateModel& model, const Examples& examples,
                   std::vector<std::size_t>* wrong = nullptr) {
  const std::vector<std::string> written = write_iso(model, examples.texts);
  Index right = 0;
  for (std::size_t i = 0; i < written.size(); ++i)
    if (written[i] == examples.isos[i]) ++right;
    else if (wrong) wrong->push_back(i);
  return static_cast<double>(right) / static_cast<double>(written.size());
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * share);
  return text;
}

/// The loss of a batch, and the share of it that the model would have written without a mistake,
/// told each letter before the next.
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

int main(int argc, char** argv) {
  TrainingOptions options{.steps = 3000,
                          .batch = 64,
                          .output = "dates.safetensors",
                          .plot = "train_dates.png",
                          .checkpoint = "dates.checkpoint"};
  CLI::App app{"Teaches a small transformer to write dates in ISO form, letter by letter."};
  options.add_to(app);
  return run_program("train_dates", app, argc, argv, [&] {
    options.check();
    if (options.threads > 0) attn::set_num_threads(options.threads);
    const DateSplit dates;
    const Examples unseen = fixed(dates.unseen);
    Examples some = unseen;
    some.texts.resize(500), some.isos.resize(500);
    TrainingRun<DateModel> run(date_model_options(), options.seed);
    if (!options.resume.empty()) attn::load_checkpoint(options.resume, run.checkpoint());

    Progress progress;
    const auto step = [&](double rate) {
      return learn(run, drawn(dates.training, options.batch, run.random), rate);
    };
    const auto pause = [&] {
      const double right = share_right(run.model, some);
      run.history.evaluated.push_back(static_cast<double>(run.step)),
          run.history.found.push_back(100 * right);
      progress.say("step " + std::to_string(run.step) + ": of 500 unseen dates " + percent(right) +
                   " exactly right");
    };
    if (!train(run, options, 3e-3, progress, step, pause)) {
      attn::save_checkpoint(options.checkpoint, run.checkpoint());
      progress.say("saved at step " + std::to_string(run.step) +
                   "; to go on: " + options.command_to_resume(argc, argv));
      return 130;
    }

    save_half(run.model, options.output);
    const DateModel saved = load_date_model(options.output);
    std::vector<std::size_t> wrong;
    const double right = share_right(saved, unseen, &wrong);
    progress.say("after " + clock_text(progress.elapsed()) + ": of 2,000 unseen dates " +
                 percent(right) + " exactly right");
    for (std::size_t i = 0; i < std::min<std::size_t>(5, wrong.size()); ++i)
      progress.say("  \"" + unseen.texts[wrong[i]] + "\" is " + unseen.isos[wrong[i]] +
                   ", and was written " + write_iso(saved, {unseen.texts[wrong[i]]}).front());
    auto figure = run.history.figure("Dates as people write them, letter by letter, in ISO form",
                                     "% exactly right", attn::plot::Range{0, 105});
    figure.columns = 3;
    for (const std::string& text :
         {std::string("12 June 2017"), std::string("Thursday, 5 March 1998"),
          std::string("September the 21st, 2034"), unseen.texts.front()})
      figure.panels.push_back(date_panel(date_map(saved, text), '"' + text + '"'));
    figure.save(options.plot);
    progress.say("wrote " + options.output + " and " + options.plot);
    return 0;
  });
}
