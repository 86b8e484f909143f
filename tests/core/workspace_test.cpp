#include <gtest/gtest.h>

#include <attn/core/tensor.hpp>
#include <attn/core/workspace.hpp>
#include <optional>
#include <thread>

#include "support/count_allocations.hpp"

namespace {

using attn::Buffer, attn::Index, attn::Tensor, attn::Workspace;

/// Ends what earlier tests left in this thread's list.
struct WorkspaceOf : testing::Test {
  void SetUp() override { empty_the_list(); }
  static void empty_the_list() {
    { Workspace workspace; }  // releases what was kept and keeps what was freed: nothing
  }
};
using WorkspaceTest = WorkspaceOf;

/// What a computation does: some tensors alive at the same time, some after each other.
void compute() {
  const Tensor<float, 2> x({30, 40});
  for (int layer = 0; layer < 3; ++layer) {
    const Tensor<float, 2> y({30, 10});
    const Tensor<float, 2> z = y;
    const auto w = Tensor<double, 2>::for_overwrite({30, 41});
  }
  const Tensor<float, 2> large({1200, 1000});  // with huge pages
}

/// The number of allocations of f.
template <class F>
std::size_t allocations_of(F&& f) {
  const std::size_t before = allocations;
  f();
  return allocations - before;
}

TEST_F(WorkspaceTest, AComputationOfKnownShapesAllocatesNothing) {
  EXPECT_GT(allocations_of([] {
              Workspace workspace;
              compute();
            }),
            0u);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(allocations_of([] {
                Workspace workspace;
                compute();
              }),
              0u);
  EXPECT_GT(allocations_of(compute), 0u) << "without a workspace nothing is recycled";
}

TEST_F(WorkspaceTest, WithinOneWorkspaceMemoryIsRecycledToo) {
  Workspace workspace;
  const float* const memory = Buffer<float>(100).data();
  EXPECT_EQ(allocations_of([&] { EXPECT_EQ(Buffer<float>(100).data(), memory); }), 0u);
  EXPECT_EQ(Buffer<float>(97).data(), memory) << "sizes are rounded up to 64 bytes";
  EXPECT_EQ(static_cast<void*>(Buffer<double>(50).data()), memory) << "of any type";
  EXPECT_EQ(allocations_of([] { Buffer<float>(113); }), 1u);
  EXPECT_EQ(allocations_of([] { Buffer<float>(96); }), 1u) << "a larger block is not taken";
}

TEST_F(WorkspaceTest, RecycledMemoryIsZeroWhereATensorIs) {
  Workspace workspace;
  const float* memory = nullptr;
  {
    Tensor<float, 1> x({1000});
    std::fill_n(x.data(), 1000, 3.0f);
    memory = x.data();
  }
  const Tensor<float, 1> x({1000});
  ASSERT_EQ(x.data(), memory);
  EXPECT_EQ(std::count(x.data(), x.data() + 1000, 0.0f), 1000);
}

TEST_F(WorkspaceTest, TheOutermostReleasesWhatItDidNotUse) {
  empty_the_list();
  const std::ptrdiff_t before = bytes_allocated;
  const auto run = [](Index size) {
    Workspace workspace;
    const Buffer<char> buffer(size);
  };
  run(1'000'000);
  EXPECT_GE(bytes_allocated - before, 1'000'000);
  run(1'000);
  EXPECT_GE(bytes_allocated - before, 1'000);
  EXPECT_LT(bytes_allocated - before, 10'000) << "the large block has gone";
  EXPECT_EQ(allocations_of([&] { run(1'000); }), 0u);
  empty_the_list();
  EXPECT_EQ(bytes_allocated, before);
}

TEST_F(WorkspaceTest, OfManyComputationsReleasesWhatTheLastDidNotUse) {
  empty_the_list();
  const std::ptrdiff_t before = bytes_allocated;
  {
    Workspace workspace;
    const auto run = [&](Index size) {
      { const Buffer<char> buffer(size); }
      workspace.release_unused();
    };
    for (Index size = 1'000'000; size < 1'100'000; size += 1'000) run(size);
    EXPECT_LT(bytes_allocated - before, 2'500'000) << "two sizes of a hundred";
    EXPECT_EQ(allocations_of([&] { run(1'099'000); }), 0u);
    Workspace inner;
    inner.release_unused();
    EXPECT_EQ(allocations_of([&] { Buffer<char>(1'099'000); }), 0u) << "an inner one does not trim";
  }
  empty_the_list();
  EXPECT_EQ(bytes_allocated, before);
}

TEST_F(WorkspaceTest, Nest) {
  const auto nested = [] {
    Workspace outer;
    { const Buffer<char> buffer(1000); }
    for (int i = 0; i < 2; ++i) {
      Workspace inner;
      const Buffer<char> buffer(2000);
    }
    EXPECT_EQ(allocations_of([] { Buffer<char>(1000); }), 0u) << "the inner ones do not trim";
    EXPECT_EQ(allocations_of([] { Buffer<char>(2000); }), 0u);
  };
  nested();
  EXPECT_EQ(allocations_of(nested), 0u);
}

TEST_F(WorkspaceTest, ATensorMayOutliveIt) {
  const std::ptrdiff_t before = bytes_allocated;
  {
    std::optional<Tensor<float, 1>> result;
    {
      Workspace workspace;
      result.emplace(attn::Shape<1>{1000});
      result->data()[999] = 7;
    }
    EXPECT_EQ((*result)(999), 7);
    Workspace another;
    EXPECT_EQ(allocations_of([] { Tensor<float, 1>({1000}); }), 1u) << "its memory is in use";
    EXPECT_EQ((*result)(999), 7);
  }
  empty_the_list();
  EXPECT_EQ(bytes_allocated, before) << "freed outside of a workspace, it returns to the system";
}

TEST_F(WorkspaceTest, TakesInWhatWasAllocatedBeforeIt) {
  std::optional<Buffer<float>> buffer(std::in_place, 1000);
  const float* const memory = buffer->data();
  Workspace workspace;
  buffer.reset();
  EXPECT_EQ(Buffer<float>(1000).data(), memory);
}

TEST_F(WorkspaceTest, IsOfOneThread) {
  Workspace workspace;
  { const Buffer<float> buffer(1000); }
  std::thread([] {
    { const Buffer<float> first(1); }  // MinGW allocates the lists of a thread
    EXPECT_EQ(allocations_of([] { Buffer<float>(1000); }), 1u);
    EXPECT_EQ(allocations_of([] { Buffer<float>(1000); }), 1u);
  }).join();
  EXPECT_EQ(allocations_of([] { Buffer<float>(1000); }), 0u);
}

TEST_F(WorkspaceTest, AnotherThreadMayFree) {
  const std::ptrdiff_t before = bytes_allocated;
  {
    Workspace workspace;
    Buffer<float> to_the_system(1000), to_its_list(1000);
    std::thread([&] {
      to_the_system = Buffer<float>();
      Workspace of_the_thread;
      to_its_list = Buffer<float>();
      EXPECT_EQ(allocations_of([] { Buffer<float>(1000); }), 0u);
    }).join();
    EXPECT_EQ(allocations_of([] { Buffer<float>(1000); }), 1u);
  }
  empty_the_list();
  EXPECT_EQ(bytes_allocated, before);
}

TEST_F(WorkspaceTest, TheEndOfAThreadReleasesItsList) {
  const std::ptrdiff_t before = bytes_allocated;
  std::thread([] {
    Workspace workspace;
    Buffer<float>(100'000);
  }).join();
  EXPECT_LT(bytes_allocated - before, 10'000);
}

}  // namespace
