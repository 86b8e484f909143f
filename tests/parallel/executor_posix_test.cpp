#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <attn/parallel/executor.hpp>
#include <vector>

namespace {

using attn::Index;

std::vector<int> calls_of_a_loop(Index count) {
  std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
  attn::parallel_for(count, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
  return {calls.begin(), calls.end()};
}

// A forked child has no worker threads: it runs its loops alone, and ends.
TEST(ExecutorAfterAFork, AForkedChildRunsItsLoopsAloneAndEnds) {
  attn::set_num_threads(4);
  EXPECT_EQ(calls_of_a_loop(100), std::vector<int>(100, 1));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const bool right = calls_of_a_loop(100) == std::vector<int>(100, 1);
    attn::set_executor(attn::Serial{});  // releases the parent's pool
    std::_Exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  attn::set_executor(attn::Pool{});
}

}  // namespace
