// The main function of test programs that run on several ranks. Rank 0 prints what GoogleTest
// prints, the others only what fails. An exception that escapes from a test ends the run, because
// other ranks may be waiting.
#include <attn/mpi/run.hpp>
#include <memory>

#include "mpi/ranks.hpp"

namespace {

const attn::mpi::World* all_ranks = nullptr;

class FailurePrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const char* const file = result.file_name() ? result.file_name() : "";
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", static_cast<int>(all_ranks->rank()), file,
                 result.line_number(), result.message());
  }
};

}  // namespace

const attn::mpi::World& ranks() { return *all_ranks; }

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(catch_exceptions, false);
  return attn::mpi::run(argc, argv, [](attn::mpi::World& world) {
    all_ranks = &world;
    if (world.rank() != 0) {
      auto& listeners = testing::UnitTest::GetInstance()->listeners();
      delete listeners.Release(listeners.default_result_printer());
      listeners.Append(new FailurePrinter);
    }
    if (world.any(RUN_ALL_TESTS() != 0)) throw attn::Error("tests have failed");
  });
}
