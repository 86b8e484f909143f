// Saves checkpoints until one rank is killed; then the file must be whole.
// usage: killed_while_saving FILE MILLISECONDS
// A rank is killed after that time. With 0 the file is checked.
#include <attn/mpi/checkpoint.hpp>
#include <attn/mpi/run.hpp>
#include <attn/train/adam.hpp>
#include <chrono>
#include <csignal>
#include <iostream>

#include "support/small_model.hpp"

using attn::Index;
using attn::mpi::World;

namespace {

/// A run whose parameters and optimizer state are set to the number of steps.
void save_or_check(const World& world, const std::string& file, Index milliseconds) {
  SmallModel<float> model(40000);
  attn::mpi::Replicas replicas(world, model.parameters(), {.parts = world.size()});
  attn::mpi::Sharded<attn::Adam<float>> adam(replicas);
  Index step = 0;
  const attn::mpi::Checkpoint run{world, model, adam, step};
  if (milliseconds == 0) {
    attn::mpi::load_checkpoint(file, run);
    for (const float x : numbers_of(model))
      if (x != static_cast<float>(step)) throw attn::Error("the file must be of one step");
    std::cout << "whole at step " << step << '\n';
    return;
  }
  attn::mpi::save_checkpoint(file, run);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  std::thread killer([&] {
    std::this_thread::sleep_until(end);
    if (world.rank() == milliseconds % world.size()) std::raise(SIGKILL);
  });
  for (;;) {
    ++step;
    for (const auto& p : model.parameters())
      for (float& x : p.edit()) x = static_cast<float>(step);
    attn::mpi::save_checkpoint(file, run);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return attn::mpi::run(argc, argv,
                        [&](World& world) { save_or_check(world, argv[1], std::stol(argv[2])); });
}
