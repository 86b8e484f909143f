// Teaches the paper's model, small, to write dates as people write them in ISO form: "the 5th of March, 1998" is 1998-03-05.
//
//   train_dates [--steps 3000] [--minutes 0] [--output dates.safetensors] [--plot train_dates.png] [--resume dates.checkpoint] ...
//
// 2,000 dates of the calendar are never learnt from in any form; at the end all of them are written. Ctrl-C saves, and says how to go on.
//
// Exit status: 0, 130 after Ctrl-C, or 2 for input that cannot be used, with one sentence on standard error.

#include <CLI/CLI.hpp>
#include <attn/plot.hpp>
#include <attn/train.hpp>
#include <cmath>
#include <iostream>
#include <numbers>

#include "cross_attention.hpp"
#include "date_model.hpp"
#include "dates.hpp"
#include "interrupt.hpp"
#include "most_likely.hpp"
#include "progress.hpp"
#include "read_date.hpp"

using attn::Index;

/// What the user chooses.
struct Choice {
  Index steps = 3000, batch = 64, threads = 0;
  double minutes = 0;
  std::uint64_t seed = 1;
  std::string output = "dates.safetensors", plot = "train_dates.png", checkpoint = "dates.checkpoint", resume;

  void check() const {
    const auto need = [](bool good, const std::string& name, const auto& value, const std::string& rule) {
      if (!good) throw std::invalid_argument("--" + name + " = " + std::to_string(value) + " must be " + rule);
    };
    need(steps >= 1, "steps", steps, "at least 1");
    need(batch >= 1 && batch <= 4096, "batch", batch, "from 1 to 4096");
    need(threads >= 0, "threads", threads, "at least 0");
    need(minutes >= 0 && std::isfinite(minutes), "minutes", minutes, "at least 0");
    for (const std::string& path : {output, plot, checkpoint})
      if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty() && !std::filesystem::is_directory(folder))
        throw std::invalid_argument("\"" + path + "\" must lie in a folder that exists");
  }
};

/// Dates as they are read, and as they are to be written.
struct Examples {
  std::vector<std::string> texts, isos;

  void add(Date date, attn::Random& random) { texts.push_back(written(date, random)), isos.push_back(iso(date)); }
};

Examples drawn(const std::vector<Date>& dates, Index count, attn::Random& random) {
  Examples examples;
  for (Index i = 0; i < count; ++i) examples.add(dates[static_cast<std::size_t>(random.index(std::ssize(dates)))], random);
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
double share_right(const DateModel& model, const Examples& examples, std::vector<std::size_t>* wrong = nullptr) {
  const std::vector<std::string> written = write_iso(model, examples.texts);
  Index right = 0;
  for (std::size_t i = 0; i < written.size(); ++i)
    if (written[i] == examples.isos[i]) ++right;
    else if (wrong) wrong->push_back(i);
  return static_cast<double>(right) / static_cast<double>(written.size());
}

/// Up in a straight line over 300 steps, and then down on half a cosine, to 0 when all is done.
double rate(Index step, double done) { return 3e-3 * std::min(1.0, static_cast<double>(step) / 300) * (1 + std::cos(std::numbers::pi * done)) / 2; }

/// What a run has done so far, for its picture.
struct History {
  std::vector<double> step, loss, evaluated, right;
};

attn::plot::Figure figure_of(const DateModel& model, const History& history, const std::vector<std::string>& texts) {
  using namespace attn::plot;
  Figure figure{.title = "Dates as people write them, letter by letter, in ISO form", .columns = 3};
  const Curves loss{.title = "The dates that are learnt from",
                    .x = {.title = "step"},
                    .y = {.title = "loss", .scale = Scale::log10},
                    .curves = {{.x = history.step, .y = history.loss}}};
  const Curves right{.title = "Dates that are not",
                     .x = {.title = "step"},
                     .y = {.title = "% exactly right", .range = Range{0, 105}},
                     .curves = {{.x = history.evaluated, .y = history.right, .markers = true}}};
  figure.panels = {loss, right};
  for (const std::string& text : texts) figure.panels.push_back(date_panel(date_map(model, text), "\"" + text + "\""));
  return figure;
}

/// A model in training, and all that it needs to go on where it was.
struct Run {
  attn::Random random;
  DateModel model;
  attn::Adam<float> adam;
  History history;
  Index step = 0;

  explicit Run(std::uint64_t seed) : random{seed}, model(date_model_options(), random), adam(model.parameters(), {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-9}) {}

  /// The loss of a batch, and the share of it that the model would have written without a mistake, told each letter before the next.
  std::pair<double, double> learn(const Examples& examples, double learning_rate) {
    const date_letters::Texts source(examples.texts);
    const date_letters::IsoTargets target(examples.isos);
    attn::Tape<float> tape;
    const auto logits = model(tape, source.tokens, target.in, source.padding());
    const auto loss = attn::cross_entropy(logits, target.out);
    adam.zero_grad();
    tape.backward(loss);
    attn::clip_gradient_norm(model.parameters(), 1.0);
    adam.step(learning_rate);
    const attn::Tensor<Index, 2> best = most_likely(logits.value());
    double right = 0;
    for (Index b = 0; b < best.shape()[0]; ++b) right += best[b] == target.out[b];
    return {static_cast<double>(loss.value()(0)), right / static_cast<double>(best.shape()[0])};
  }
};

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * share);
  return text;
}

/// False if Ctrl-C ended it.
bool train(Run& run, const Choice& choice, const DateSplit& dates, const Examples& unseen) {
  const Interrupt interrupt;
  Progress progress;
  Examples some = unseen;
  some.texts.resize(500), some.isos.resize(500);
  double done = 0;
  for (int tenths = static_cast<int>(10 * run.step / choice.steps); done < 1;) {
    const auto step_share = static_cast<double>(run.step + 1) / static_cast<double>(choice.steps);
    const double time_share = choice.minutes > 0 ? progress.elapsed() / (60 * choice.minutes) : 0;
    done = std::min(1.0, std::max(step_share, time_share));
    const auto [loss, right] = run.learn(drawn(dates.training, choice.batch, run.random), rate(++run.step, done));
    progress.step(done, loss, right, choice.batch);
    if (run.step % 10 == 0) run.history.step.push_back(static_cast<double>(run.step)), run.history.loss.push_back(progress.loss());
    if (static_cast<int>(10 * done) > tenths) {
      tenths = static_cast<int>(10 * done);
      run.history.evaluated.push_back(static_cast<double>(run.step)), run.history.right.push_back(100 * share_right(run.model, some));
      progress.say("step " + std::to_string(run.step) + ": of 500 unseen dates " + percent(run.history.right.back() / 100) + " exactly right");
    }
    if (interrupt.asked()) return false;
  }
  return true;
}

int main(int argc, char** argv) {
  Choice choice;
  CLI::App app{"Teaches a small transformer to write dates in ISO form, letter by letter."};
  app.add_option("--steps", choice.steps, "batches to learn from")->capture_default_str();
  app.add_option("--minutes", choice.minutes, "stop after so long, if that is before the steps are done; 0: never")->capture_default_str();
  app.add_option("--batch", choice.batch, "dates a step")->capture_default_str();
  app.add_option("--seed", choice.seed, "of the start and of what is drawn")->capture_default_str();
  app.add_option("--threads", choice.threads, "0: one for each core")->capture_default_str();
  app.add_option("--output", choice.output, "the model, float16 safetensors")->capture_default_str();
  app.add_option("--plot", choice.plot, "the picture, a PNG file")->capture_default_str();
  app.add_option("--checkpoint", choice.checkpoint, "where Ctrl-C saves")->capture_default_str();
  app.add_option("--resume", choice.resume, "what Ctrl-C has saved, to go on from there");
  try {
    app.parse(argc, argv);
    choice.check();
    if (choice.threads > 0) attn::set_num_threads(choice.threads);
    const DateSplit dates;
    const Examples unseen = fixed(dates.unseen);
    Run run(choice.seed);

    const double begin = Progress::seconds();
    const bool finished = train(run, choice, dates, unseen);
    save_date_model(run.model, choice.output);
    const DateModel saved = load_date_model(choice.output);
    std::vector<std::size_t> wrong;
    const double right = share_right(saved, unseen, &wrong);
    std::cout << "in " << clock_text(Progress::seconds() - begin) << ", of " << unseen.texts.size() << " unseen dates " << percent(right) << " exactly right\n";
    for (std::size_t i = 0; i < std::min<std::size_t>(5, wrong.size()); ++i)
      std::cout << "  \"" << unseen.texts[wrong[i]] << "\" is " << unseen.isos[wrong[i]] << ", and was written "
                << write_iso(saved, {unseen.texts[wrong[i]]}).front() << '\n';
    figure_of(saved, run.history, {"12 June 2017", "Thursday, 5 March 1998", "September the 21st, 2034", unseen.texts.front()}).save(choice.plot);
    std::cout << "wrote " << choice.output << " and " << choice.plot << '\n';
    return finished ? 0 : 130;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "train_dates: " << error.what() << '\n';
    return 2;
  }
}
