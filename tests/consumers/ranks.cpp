// A program of several processes.
#include <attn/mpi/run.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  return attn::mpi::run(argc, argv, [](attn::mpi::World& world) {
    std::printf("rank %d of %d\n", int(world.rank()), int(world.size()));
  });
}
