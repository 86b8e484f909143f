#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <attn/parallel/executor.hpp>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "interrupt.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "training_run.hpp"

/// The options of a training program.
struct TrainingOptions {
  attn::Index steps, batch;
  double peak_rate;
  attn::Index threads = 0;
  double minutes = 0;
  std::uint64_t seed = 1;
  std::string output, plot, checkpoint, resume{};

  void add_to(CLI::App& app) {
    app.add_option("--steps", steps, "optimizer steps")->capture_default_str();
    app.add_option("--minutes", minutes, "time limit of this run; 0: none")->capture_default_str();
    app.add_option("--batch", batch, "examples per step")->capture_default_str();
    app.add_option("--seed", seed, "seed of the initialization and of all random draws")
        ->check(not_negative)
        ->capture_default_str();
    app.add_option("--threads", threads, "number of threads; 0: one per core")
        ->capture_default_str();
    app.add_option("--output", output, "file of the model, safetensors in float16")
        ->capture_default_str();
    app.add_option("--plot", plot, "file of the picture, PNG")->capture_default_str();
    app.add_option("--checkpoint", checkpoint, "file of the checkpoint that Ctrl-C writes")
        ->capture_default_str();
    app.add_option("--resume", resume, "a checkpoint to resume");
  }
  static void need(bool good, const std::string& name, double value, const std::string& rule) {
    std::ostringstream text;
    text << "--" << name << " = " << value << " must be " << rule;
    if (!good) throw std::invalid_argument(text.str());
  }
  void check() const {
    need(steps >= 1 && steps <= 100'000'000, "steps", static_cast<double>(steps),
         "from 1 to 100000000");
    need(batch >= 1 && batch <= 4096, "batch", static_cast<double>(batch), "from 1 to 4096");
    need(threads >= 0 && threads <= 1024, "threads", static_cast<double>(threads),
         "from 0 to 1024");
    need(minutes >= 0 && std::isfinite(minutes), "minutes", minutes, "at least 0 and finite");
    for (const std::string& path : {output, plot, checkpoint})
      if (!is_writable(path))
        throw std::invalid_argument("\"" + path +
                                    "\" must be a file in a folder that can be written to");
  }

  /// The command that resumes the run after Ctrl-C: the one that was given, with the checkpoint.
  std::string command_to_resume(int argc, char** argv) const {
    std::string command;
    for (int i = 0; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--resume") ++i;
      else if (!argument.starts_with("--resume=")) command += quoted(argument) + ' ';
    }
    return command + "--resume " + quoted(checkpoint);
  }

 private:
  static bool is_writable(const std::filesystem::path& path) {
    if (path.filename().empty() || std::filesystem::is_directory(path)) return false;
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    return access(folder.c_str(), W_OK) == 0;
  }
  /// A word with the quotes that a shell needs.
  static std::string quoted(const std::string& word) {
    const auto is_plain = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
  }
};

/// Trains until all steps are done or the time limit is reached. `step(rate)` learns from a batch
/// and returns its loss and accuracy; `evaluate()` is called after each tenth of the run. The rate
/// rises linearly during a tenth of the steps, at most 300, and then decays as half a cosine; the
/// position on it is that of the steps or of the time, whichever is further. False if Ctrl-C
/// interrupted the run.
template <class Model, class Step, class Evaluate>
bool train(TrainingRun<Model>& run, const TrainingOptions& options, Progress& progress, Step&& step,
           Evaluate&& evaluate) {
  if (run.step >= options.steps)
    throw std::invalid_argument("--steps = " + std::to_string(options.steps) +
                                " must be more than the " + std::to_string(run.step) +
                                " that the checkpoint has done");
  const Interrupt interrupt;
  const attn::CosineSchedule rate{.peak = options.peak_rate,
                                  .warmup_steps = std::min<attn::Index>(300, options.steps / 10),
                                  .total_steps = options.steps};
  const auto total = static_cast<double>(options.steps);
  const double done_before = static_cast<double>(run.step) / total;
  for (double done = done_before; done < 1;) {
    const int tenths = static_cast<int>(10 * done);
    const double time = options.minutes > 0 ? progress.elapsed() / (60 * options.minutes) : 0;
    done =
        std::max(static_cast<double>(run.step + 1) / total, done_before + (1 - done_before) * time);
    done = std::min(done, 1.0);
    const auto [loss, accuracy] = step(rate(std::max<attn::Index>(1, std::llround(done * total))));
    progress.step(done, loss, accuracy, options.batch);
    run.history.add_loss(run.step, loss);
    if (static_cast<int>(10 * done) > tenths) evaluate();
    if (interrupt.requested() && done < 1) return false;
  }
  return true;
}
