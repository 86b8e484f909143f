#include <gtest/gtest.h>
#include <atomic>
#include <attn/parallel/executor.hpp>
#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/count_allocations.hpp"
#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::Task;

// A host's executor: new threads for each loop, and indices dealt out in turn.
void threads_for_each_loop(Index count, Task task) {
  std::vector<std::thread> threads;
  for (Index t = 0; t < 3; ++t)
    threads.emplace_back([=] {
      for (Index i = t; i < count; i += 3) task(i);
    });
  for (std::thread& thread : threads) thread.join();
}

std::vector<int> calls_of_a_loop(Index count) {
  std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
  attn::parallel_for(count, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
  return {calls.begin(), calls.end()};
}

// Every test starts with the built-in pool, which has workers even on a machine of one core, and
// restores the default.
struct Executor : testing::Test {
  Executor() { attn::set_num_threads(4); }
  ~Executor() override { attn::set_executor(attn::Pool{}); }
};

TEST_F(Executor, CallsEachIndexOnce) {
  for (const Index count : {0, 1, 2, 3, 4, 5, 63, 1000})
    EXPECT_EQ(calls_of_a_loop(count), std::vector<int>(static_cast<std::size_t>(count), 1));
}

TEST_F(Executor, TheCallerSeesTheResultsOfTasks) {
  for (int loop = 0; loop < 2000; ++loop) {
    std::vector<Index> squares(17, -1);  // not atomic: ThreadSanitizer checks it
    attn::parallel_for(17, [&](Index i) { squares[static_cast<std::size_t>(i)] = i * i + loop; });
    for (Index i = 0; i < 17; ++i) ASSERT_EQ(squares[static_cast<std::size_t>(i)], i * i + loop);
  }
}

TEST_F(Executor, SeveralThreadsTakePart) {
  std::atomic<int> present{0};
  std::set<std::thread::id> ids;
  std::mutex mutex;
  attn::parallel_for(4, [&](Index) {
    for (++present; present < 4;)
      std::this_thread::yield();  // ends only if four threads are here at the same time
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 4u);
  EXPECT_TRUE(ids.contains(std::this_thread::get_id()));
}

TEST_F(Executor, SleepingWorkersWake) {
  for (int loop = 0; loop < 20; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // workers spin much shorter
    std::atomic<int> present{0};
    attn::parallel_for(4, [&](Index) {
      for (++present; present < 4;) std::this_thread::yield();
    });
    EXPECT_EQ(present, 4);
  }
}

TEST_F(Executor, ALoopReturnsAfterItsLastTask) {
  std::atomic<bool> done = false;
  attn::parallel_for(2, [&](Index i) {
    if (i == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST_F(Executor, NestedLoopsRunOnTheirCaller) {
  std::atomic<int> inner{0}, elsewhere{0};
  attn::parallel_for(6, [&](Index) {
    const auto outer = std::this_thread::get_id();
    attn::parallel_for(7, [&](Index) {
      ++inner;
      elsewhere += std::this_thread::get_id() != outer;
    });
  });
  EXPECT_EQ(inner, 42);
  EXPECT_EQ(elsewhere, 0);
}

TEST_F(Executor, ALoopOfOneTaskLeavesThePoolToALoopWithinIt) {
  std::atomic<int> present{0};
  attn::parallel_for(1, [&](Index) {
    attn::parallel_for(4, [&](Index) {
      for (++present; present < 4;) std::this_thread::yield();
    });
  });
  EXPECT_EQ(present, 4);
}

TEST_F(Executor, OneThreadAndSerialRunOnTheCallerInOrder) {
  const auto expect_serial = [] {
    std::vector<Index> order;
    attn::parallel_for(50, [&, caller = std::this_thread::get_id()](Index i) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      order.push_back(i);
    });
    std::vector<Index> expected(50);
    std::iota(expected.begin(), expected.end(), Index{0});
    EXPECT_EQ(order, expected);
    EXPECT_EQ(attn::num_threads(), 1);
  };
  attn::set_num_threads(1);
  expect_serial();
  attn::set_executor(attn::Serial{});
  expect_serial();
}

TEST_F(Executor, TheFirstExceptionReachesTheCallerAndTheOtherTasksAreSkipped) {
  for (const bool host : {false, true}) {
    if (host) attn::set_executor(threads_for_each_loop);
    std::atomic<int> begun{0};
    try {
      attn::parallel_for(100000, [&](Index i) {
        ++begun;
        if (i == 10) throw std::out_of_range("task 10");
        if (i > 10)
          std::this_thread::sleep_for(std::chrono::microseconds(20));  // it needs a moment
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "task 10");
    }
    EXPECT_LT(begun, 100000);
    EXPECT_EQ(calls_of_a_loop(100), std::vector<int>(100, 1)) << "the executor still works";
    EXPECT_THROW(attn::parallel_for(8, [](Index) { throw attn::ShapeError("all of them"); }),
                 attn::ShapeError);
  }
}

TEST_F(Executor, AfterAnExceptionLoopsUseAllThreadsAgain) {
  EXPECT_THROW(attn::parallel_for(8, [](Index) { throw 1; }), int);
  EXPECT_THROW(
      attn::parallel_for(8, [](Index) { attn::parallel_for(2, [](Index) { throw 2.0; }); }),
      double);
  std::atomic<int> present{0};
  attn::parallel_for(4, [&](Index) {
    for (++present; present < 4;) std::this_thread::yield();
  });
  EXPECT_EQ(present, 4);
}

TEST_F(Executor, UsesTheThreadsOfAHost) {
  std::atomic<int> loops{0};
  attn::set_executor([&](Index count, Task task) {
    ++loops;
    threads_for_each_loop(count, task);
  });
  std::atomic<int> on_caller{0};
  attn::parallel_for(30, [&, caller = std::this_thread::get_id()](Index) {
    on_caller += std::this_thread::get_id() == caller;
  });
  EXPECT_EQ(on_caller, 0);
  EXPECT_EQ(calls_of_a_loop(30), std::vector<int>(30, 1));
  attn::parallel_for(5, [](Index) { attn::parallel_for(5, [](Index) {}); });
  EXPECT_EQ(loops, 3) << "loops within tasks are not handed to the host";
  attn::set_executor(attn::Pool{});
  EXPECT_EQ(calls_of_a_loop(30), std::vector<int>(30, 1));
  EXPECT_EQ(loops, 3);
}

TEST_F(Executor, AnExceptionOfTheHostReachesTheCaller) {
  attn::set_executor([](Index, Task) { throw std::runtime_error("the host's pool is closed"); });
  EXPECT_THROW(attn::parallel_for(2, [](Index) {}), std::runtime_error);
}

TEST_F(Executor, ServesManyCallersAtTheSameTime) {
  std::vector<std::thread> callers;
  std::atomic<Index> total{0};
  for (int c = 0; c < 6; ++c)
    callers.emplace_back([&] {
      for (int loop = 0; loop < 500; ++loop) {
        std::vector<Index> values(20);
        attn::parallel_for(20, [&](Index i) { values[static_cast<std::size_t>(i)] = i; });
        total += std::accumulate(values.begin(), values.end(), Index{0});
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 6 * 500 * 190);
}

TEST_F(Executor, CanBeReplacedWhileLoopsRun) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c)
    callers.emplace_back([&] {
      while (!stop) ASSERT_EQ(calls_of_a_loop(40), std::vector<int>(40, 1));
    });
  for (int i = 0; i < 60; ++i) {
    attn::set_num_threads(1 + i % 5);
    attn::set_executor(threads_for_each_loop);
    attn::set_executor(attn::Serial{});
    attn::set_executor(attn::Pool{2});
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

TEST_F(Executor, CanBeReplacedWithinATask) {
  attn::parallel_for(4, [](Index) { attn::set_num_threads(3); });
  EXPECT_EQ(attn::num_threads(), 3);
  EXPECT_EQ(calls_of_a_loop(40), std::vector<int>(40, 1));
}

TEST_F(Executor, UsesTheCoresOfTheProcess) {
  EXPECT_EQ(attn::num_threads(), 4);
  attn::set_executor(attn::Pool{});
  EXPECT_EQ(attn::num_threads(), attn::detail::available_cores());
  EXPECT_GE(attn::num_threads(), 1);
#ifdef __linux__
  cpu_set_t all, first;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  CPU_ZERO(&first);
  for (std::size_t core = 0; CPU_COUNT(&first) == 0; ++core)
    if (CPU_ISSET(core, &all)) CPU_SET(core, &first);
  ASSERT_EQ(sched_setaffinity(0, sizeof first, &first), 0);
  attn::set_executor(attn::Pool{});
  EXPECT_EQ(attn::num_threads(), 1) << "the process is restricted to one core";
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
#endif
}

TEST_F(Executor, RefusesWrongNumbersOfThreads) {
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::set_num_threads(0); }),
            "set_num_threads: n = 0 must be at least 1");
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::set_num_threads(-3); }),
            "set_num_threads: n = -3 must be at least 1");
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::set_executor(attn::Pool{-1}); }),
            "set_executor: Pool::threads = -1 must be at least 1, or 0 for all cores");
  EXPECT_EQ(attn::num_threads(), 4);
}

TEST_F(Executor, ALoopAllocatesNothing) {
  std::atomic<Index> sum{0};
  const auto loop = [&] {
    attn::parallel_for(64, [&, a = 1, b = 2, c = 3, d = 4](Index i) { sum += i + a + b + c + d; });
  };
  loop();  // the workers start
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) loop();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(sum, 101 * (2016 + 640));
}

TEST_F(Executor, ATaskRefersToItsCallable) {
  static_assert(std::is_trivially_copyable_v<Task> && sizeof(Task) == 2 * sizeof(void*));
  static_assert(std::is_constructible_v<Task, const Task&> && !std::is_constructible_v<Task, int>);
  Index sum = 0;
  auto counter = [&sum, calls = 0](Index i) mutable { sum += i * ++calls; };
  const Task task = counter, copy = task;
  task(10);
  copy(100);
  EXPECT_EQ(sum, 10 + 200) << "both call the same counter";
  const auto constant = [&](Index i) { sum = i; };
  Task{constant}(7);
  EXPECT_EQ(sum, 7);
}

}  // namespace
