#pragma once

#include <gtest/gtest.h>

#include <attn/mpi/run.hpp>
#include <optional>

/// All ranks of a test program: each of them runs all tests.
inline const attn::mpi::World*& all_ranks() {
  static const attn::mpi::World* world = nullptr;
  return world;
}
inline const attn::mpi::World& ranks() { return *all_ranks(); }

/// The main function: the tests fail if they fail on any rank; rank 0 alone tells of those that
/// pass.
inline int run_tests_on_all_ranks(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return attn::mpi::run(argc, argv, [](attn::mpi::World& world) {
    all_ranks() = &world;
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (world.rank() > 0) delete listeners.Release(listeners.default_result_printer());
    const bool failed = RUN_ALL_TESTS() != 0;
    if (world.any(failed)) throw attn::Error("a test has failed");
  });
}
