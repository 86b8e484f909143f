#pragma once

#include <gtest/gtest.h>

#include <attn/mpi/world.hpp>

/// The ranks that this test program runs on.
const attn::mpi::World& ranks();

/// The first `size` ranks as a world of their own; on the other ranks a world that is not for use.
inline attn::mpi::World first_ranks(attn::Index size) {
  return ranks().split(ranks().rank() < size ? 0 : 1);
}

/// f(world) on the first n ranks, for every n for which there are ranks.
template <class F>
void for_each_number_of_ranks(const F& f) {
  for (attn::Index size = 1; size <= ranks().size(); ++size) {
    const attn::mpi::World world = first_ranks(size);
    if (ranks().rank() < size) f(world);
  }
}
