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
#include "progress.hpp"
#include "training_run.hpp"

/// What the user of a training program chooses.
struct TrainingOptions {
  attn::Index steps, batch, threads = 0;
  double minutes = 0;
  std::uint64_t seed = 1;
  std::string output, plot, checkpoint, resume{};

  void add_to(CLI::App& app) {
    app.add_option("--steps", steps, "batches to learn from")->capture_default_str();
    app.add_option("--minutes", minutes,
                   "end after so long from now, if the steps are not done before; 0: never")
        ->capture_default_str();
    app.add_option("--batch", batch, "examples a step")->capture_default_str();
    app.add_option("--seed", seed, "of the start and of what is drawn")->capture_default_str();
    app.add_option("--threads", threads, "0: one for each core")->capture_default_str();
    app.add_option("--output", output, "the model, float16 safetensors")->capture_default_str();
    app.add_option("--plot", plot, "the picture, a PNG file")->capture_default_str();
    app.add_option("--checkpoint", checkpoint, "what Ctrl-C writes")->capture_default_str();
    app.add_option("--resume", resume, "a checkpoint to go on from");
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
    need(minutes >= 0 && std::isfinite(minutes), "minutes", minutes, "at least 0");
    for (const std::string& path : {output, plot, checkpoint})
      if (const auto folder = std::filesystem::path(path).parent_path();
          std::filesystem::path(path).filename().empty() || std::filesystem::is_directory(path) ||
          access(folder.empty() ? "." : folder.c_str(), W_OK) != 0)
        throw std::invalid_argument("\"" + path +
                                    "\" must be a file in a folder that can be written to");
  }

  /// The command that goes on after Ctrl-C: the one that was given, and the checkpoint.
  std::string command_to_resume(int argc, char** argv) const {
    std::string command;
    for (int i = 0; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--resume") ++i;
      else if (!argument.starts_with("--resume=")) command += quoted(argument) + ' ';
    }
    return command + "--resume " + quoted(checkpoint);
  }
  /// As a shell reads it.
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

/// Steps until all are done or the time is over: `step(rate)` learns from a batch and gives its
/// loss and the share that was right; `pause()` comes after each tenth of the way, to evaluate. The
/// rate rises over a tenth of the steps, 300 at most, and then falls on half a cosine, by whichever
/// of steps and time is further. False if Ctrl-C ended it.
template <class Model, class Step, class Pause>
bool train(TrainingRun<Model>& run, const TrainingOptions& options, double peak, Progress& progress,
           Step&& step, Pause&& pause) {
  if (run.step >= options.steps)
    throw std::invalid_argument("--steps = " + std::to_string(options.steps) +
                                " must be more than the " + std::to_string(run.step) +
                                " that the checkpoint has done");
  const Interrupt interrupt;
  const attn::CosineSchedule rate{.peak = peak,
                                  .warmup_steps = std::min<attn::Index>(300, options.steps / 10),
                                  .total_steps = options.steps};
  const double done_before = static_cast<double>(run.step) / static_cast<double>(options.steps);
  for (double done = done_before; done < 1;) {
    const int tenths = static_cast<int>(10 * done);
    const double time_gone = options.minutes > 0 ? progress.elapsed() / (60 * options.minutes) : 0;
    done = std::max(static_cast<double>(run.step + 1) / static_cast<double>(options.steps),
                    done_before + (1 - done_before) * time_gone);
    done = std::min(done, 1.0);
    const auto [loss, right] = step(
        rate(std::max<attn::Index>(1, std::llround(done * static_cast<double>(options.steps)))));
    progress.step(done, loss, right, options.batch);
    run.history.step.push_back(static_cast<double>(run.step)), run.history.loss.push_back(loss);
    if (static_cast<int>(10 * done) > tenths) pause();
    if (interrupt.asked() && done < 1) return false;
  }
  return true;
}
