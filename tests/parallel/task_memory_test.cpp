#include <gtest/gtest.h>

#include <atomic>
#include <attn/parallel/task_memory.hpp>
#include <cstdint>
#include <vector>

#include "support/allocations.hpp"

namespace {

using attn::Index;

/// Each test starts with a pool that has workers, and restores the default.
struct TaskMemory : testing::Test {
  TaskMemory() { attn::set_num_threads(4); }
  ~TaskMemory() override { attn::set_executor(attn::Pool{}); }
};

TEST_F(TaskMemory, IsAlignedAndNotSharedByTasksThatRunAtTheSameTime) {
  std::vector<int> sums(500, 0);
  attn::parallel_for<int>(500, 33, [&](Index i, int* memory) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0u);
    std::fill_n(memory, 33, static_cast<int>(i));
    for (int j = 0; j < 33; ++j) sums[std::size_t(i)] += memory[j];
  });
  for (int i = 0; i < 500; ++i) EXPECT_EQ(sums[std::size_t(i)], 33 * i);
}

TEST_F(TaskMemory, IsKeptFromOneLoopToTheNext) {
  const auto loop = [](Index size) {
    attn::parallel_for<float>(8, size, [&](Index, float* memory) { memory[size - 1] = 1; });
  };
  loop(1000);
  const std::size_t before = allocations;
  loop(1000);
  loop(10);
  loop(1000);
  EXPECT_EQ(allocations, before);
}

TEST_F(TaskMemory, OfALoopWithinATaskIsItsOwn) {
  attn::parallel_for<int>(4, 10, [](Index i, int* outer) {
    std::fill_n(outer, 10, static_cast<int>(i));
    attn::parallel_for<int>(3, 10, [](Index, int* inner) { std::fill_n(inner, 10, -1); });
    EXPECT_EQ(std::count(outer, outer + 10, static_cast<int>(i)), 10);
  });
}

void write_number(Index i, int* memory) { *memory = static_cast<int>(i); }

TEST_F(TaskMemory, IsGivenToFunctionsAndToConstantObjectsAsTheyAre) {
  attn::parallel_for<int>(8, 1, write_number);
  struct Overloaded {
    std::atomic<int>& constant;
    void operator()(Index, int*) { ADD_FAILURE() << "the object is constant"; }
    void operator()(Index, int*) const { ++constant; }
  };
  std::atomic<int> calls = 0;
  const Overloaded task{calls};
  attn::parallel_for<int>(8, 1, task);
  EXPECT_EQ(calls, 8);
}

}  // namespace
