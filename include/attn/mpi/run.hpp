#pragma once

#include <attn/mpi/rank_threads.hpp>
#include <attn/mpi/run_end.hpp>
#include <attn/mpi/together.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// The main function of a program that runs as several processes (`mpirun -n 4 program`), or as
/// one: calls f(world) on every rank, and returns the exit status.
///
///   int main(int argc, char** argv) {
///     return attn::mpi::run(argc, argv, [](attn::mpi::World& world) { … });
///   }
///
/// MPI is initialized before and finalized after, unless the program does so. Within f loops run
/// on this rank's share of the cores of its node, or on fewer threads if the program has set fewer.
/// An exception that escapes from f on any rank ends all ranks with a status that is not 0, and one
/// line on the standard error output, "rank 2 of 4: " and its sentence. So does a rank that returns
/// from f while others call an operation of `world` that compares its arguments, as attention,
/// `sum_gradients` and checkpoints do; others call MPI at once, and wait.
template <class F>
int run(int argc, char** argv, F&& f) {
  try {
    const auto environment = std::make_shared<const detail::Environment>(&argc, &argv);
    detail::RunEnd end(MPI_COMM_WORLD);
    try {
      const detail::RankThreads threads(MPI_COMM_WORLD);
      World world;
      std::forward<F>(f)(world);
      const Together at_the_end(world, "return (the function of mpi::run has ended)");
      return 0;
    } catch (const std::exception& error) {
      if (const auto* thrown = dynamic_cast<const detail::ThrownByAll*>(&error))
        return end.fail_together(error.what(), *thrown);
      return end.fail(error.what());
    } catch (...) {
      return end.fail("an exception that is no std::exception");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attn::mpi::run: %s\n", error.what());
    return 1;
  }
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
