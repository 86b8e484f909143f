// Data-parallel training on the ranks of MPI: the model of train_dates learns to write dates in ISO
// form. A batch is a fixed number of parts, and the trained parameters are bitwise the same on any
// number of ranks that divides it. Ctrl-C saves a checkpoint, from which any number of ranks
// resumes.
//
//   mpirun -n 4 train_ranks [--steps 600] [--parts 12] [--batch 8] [--seed 1]
//                           [--checkpoint ranks.checkpoint]
//
// Exit status: 0, 1 if the run fails, 2 for options that cannot be read.

#include <attn/mpi.hpp>
#include <attn/mpi/checkpoint.hpp>
#include <iostream>

#include "date_model.hpp"
#include "dates.hpp"
#include "interrupt.hpp"
#include "most_likely.hpp"
#include "program.hpp"
#include "progress.hpp"

using attn::Index;

namespace {

struct Options {
  Index steps = 600, parts = 12, batch = 8;
  std::uint64_t seed = 1;
  std::string checkpoint;
};

/// Dates of one part of a batch, which depend on the seed, the step and the part alone.
struct PartOfABatch {
  std::vector<std::string> texts, isos;

  PartOfABatch(const DateSplit& dates, const Options& options, Index step, Index part) {
    attn::Random random{options.seed + 1, std::uint64_t(step * options.parts + part) << 32};
    for (Index i = 0; i < options.batch; ++i) {
      const auto n = static_cast<std::size_t>(random.index(std::ssize(dates.training)));
      texts.push_back(written(dates.training[n], random));
      isos.push_back(iso(dates.training[n]));
    }
  }
};

/// The fraction of letters that the logits predict.
double accuracy(const attn::Tensor<float, 3>& logits, const attn::Tensor<Index, 2>& targets) {
  const attn::Tensor<Index, 2> best = most_likely(logits);
  Index correct = 0;
  for (Index i = 0; i < targets.size(); ++i) correct += best.data()[i] == targets.data()[i] ? 1 : 0;
  return double(correct) / double(targets.size());
}

void train(attn::mpi::World& world, const Options& options) {
  const DateSplit dates;
  const Interrupt interrupt;
  attn::Random random{options.seed};
  DateModel model(date_model_options(), random);
  attn::mpi::Replicas replicas(world, model.parameters(), {.parts = options.parts});
  attn::mpi::Sharded<attn::Adam<float>> adam(replicas, {.beta2 = 0.98});
  Index step = 0;
  const attn::mpi::Checkpoint run{world, model, adam, random, step};
  if (!options.checkpoint.empty()) {
    attn::mpi::load_if_there(options.checkpoint, run);
    attn::mpi::save_checkpoint(options.checkpoint, run);  // or throws, before anything is computed
  }
  const attn::ConstantSchedule rate{.peak = 2e-3, .warmup_steps = 100};
  std::optional<Progress> progress;
  if (world.rank() == 0) progress.emplace();

  if (step > options.steps)
    throw attn::Error("the checkpoint has " + std::to_string(step) + " steps, and --steps " +
                      std::to_string(options.steps) + " must be at least as many");
  while (step < options.steps && !world.any(interrupt.requested())) {
    double correct = 0;
    const double loss = replicas.backward(random, [&](Index part, attn::Tape<float>& tape) {
      const PartOfABatch batch(dates, options, step, part);
      const date_letters::Texts source(batch.texts);
      const date_letters::IsoTargets target(batch.isos);
      const auto logits = model(tape, source.tokens, target.in, source.padding());
      correct = accuracy(logits.value(), target.out);
      return attn::cross_entropy(logits, target.out);
    });
    adam.clip_gradient_norm(1.0);
    adam.step(rate(++step));
    if (progress)
      progress->step(double(step) / double(options.steps), loss, correct,
                     options.parts * options.batch);
  }
  progress.reset();
  if (!options.checkpoint.empty()) attn::mpi::save_checkpoint(options.checkpoint, run);
  if (world.rank() > 0) return;
  std::cout << "after " << step << " steps on " << world.size() << " ranks:\n";
  const std::vector<std::string> texts{"12 June 2017", "the 5th of March, 1998"};
  const std::vector<std::string> isos = write_iso(model, texts);
  for (std::size_t i = 0; i < texts.size(); ++i)
    std::cout << "  " << texts[i] << " -> " << isos[i] << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Trains a small transformer to write dates, on the ranks of MPI."};
  app.add_option("--steps", options.steps, "optimizer steps, of the whole run")
      ->check(CLI::Range(Index{0}, Index{1} << 30))
      ->capture_default_str();
  app.add_option("--parts", options.parts, "parts of a batch, a multiple of the ranks")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "dates of a part")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "seed of the parameters and the dates")
      ->check(not_negative)
      ->capture_default_str();
  app.add_option("--checkpoint", options.checkpoint,
                 "file that the run is resumed from, if it is there, and saved to");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return attn::mpi::run(argc, argv, [&](attn::mpi::World& world) { train(world, options); });
}
