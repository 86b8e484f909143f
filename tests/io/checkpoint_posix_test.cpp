#include <gtest/gtest.h>
#include <sys/wait.h>

#include <attn/io/checkpoint.hpp>
#include <attn/train/sgd.hpp>
#include <chrono>
#include <csignal>
#include <thread>

#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

namespace {

using attn::Index;

/// Every value in its k-th checkpoint is k. A child process writes one after another until it is
/// killed.
struct Counting {
  SmallModel<float> model{4000};
  attn::Sgd<float> optimizer{model.parameters(), {.momentum = 0.5}};
  attn::Random random;
  Index step = 0;

  auto checkpoint() { return attn::Checkpoint{model, optimizer, random, step}; }
  void next() {
    ++step;
    ++random.counter;
    for (const auto& p : model.parameters()) {
      std::ranges::fill(p.edit(), float(step));
      std::ranges::fill(p.grad.values(), float(step));
    }
    optimizer.step(0);
  }
};

TEST(CheckpointsOfAKilledProgram, AreWholeAtEveryMoment) {
  const TemporaryFolder folder;
  attn::set_executor(attn::Serial{});  // a forked process has no other threads
  Counting counting;
  counting.next();
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  attn::save_checkpoint(folder / "run", counting.checkpoint());
  const std::chrono::microseconds one =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  attn::Random random{5};
  Index last = 1, interrupted = 0;
  while (
      (last <= 10 || interrupted <= 5 || Clock::now() < begin + std::chrono::milliseconds(1500)) &&
      Clock::now() < begin + std::chrono::minutes(1)) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    while (child == 0) {
      counting.next();
      attn::save_checkpoint(folder / "run", counting.checkpoint());
    }
    std::this_thread::sleep_for(
        std::chrono::microseconds(random.index(15000 + 4 * static_cast<Index>(one.count()))));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    attn::load_checkpoint(folder / "run", counting.checkpoint());
    EXPECT_GE(counting.step, last);
    last = counting.step;
    EXPECT_EQ(counting.random.counter, std::uint64_t(last));
    const auto state = counting.optimizer.state_dict();
    for (const auto& p : counting.model.parameters()) {
      for (const float x : p.value) ASSERT_EQ(x, float(last));
      ASSERT_EQ(state.values(p.name + ".step")[0], float(last));
      for (const float x : state.values(p.name + ".momentum_buffer"))
        ASSERT_EQ(x, state.values("weight.momentum_buffer")[0]);
    }
    for (const auto& file : std::filesystem::directory_iterator(folder.path))
      if (file.path().extension() == ".tmp") interrupted += std::filesystem::remove(file.path());
  }
  attn::set_executor(attn::Pool{});
  EXPECT_GT(last, 10) << "checkpoints were written";
  EXPECT_GT(interrupted, 5) << "and some were interrupted";
}

}  // namespace
