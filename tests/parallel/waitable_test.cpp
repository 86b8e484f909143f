#include <gtest/gtest.h>
#include <attn/parallel/waitable.hpp>
#include <chrono>
#include <thread>

namespace {

using namespace std::chrono_literals;

// A value that is slow to compare, and says when a thread has compared it with an equal one.
struct SlowValue {
  int value = 0;
  friend bool operator!=(SlowValue a, SlowValue b) {
    const bool differ = a.value != b.value;
    if (!differ) {
      found_equal = true;
      std::this_thread::sleep_for(20ms);
    }
    return differ;
  }
  static inline std::atomic<bool> found_equal = false;
};

TEST(LockedAtomic, ANotificationBetweenTheCheckAndTheSleepIsNotLost) {
  for (const bool all : {false, true}) {
    SlowValue::found_equal = false;
    attn::detail::LockedAtomic<SlowValue> variable{SlowValue{0}};
    std::atomic<bool> woken = false;
    std::thread waiting([&] {
      variable.wait(SlowValue{0});
      woken = true;
    });
    while (!SlowValue::found_equal) std::this_thread::yield();
    variable.store(SlowValue{1});
    all ? variable.notify_all() : variable.notify_one();
    for (int i = 0; i < 500 && !woken; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(woken);
    variable.notify_all();  // so that a failed test ends
    waiting.join();
  }
}

template <class Atomic>
class WaitableTypes : public testing::Test {};
using Atomics = testing::Types<attn::detail::Waitable<int>, attn::detail::LockedAtomic<int>>;
TYPED_TEST_SUITE(WaitableTypes, Atomics);

TYPED_TEST(WaitableTypes, TwoThreadsAnswerEachOther) {
  constexpr int rounds = 2000;
  TypeParam turn{0};
  const auto play = [&turn](int parity) {
    for (int now = parity; now < rounds; now += 2) {
      for (int seen; (seen = turn.load()) != now;) turn.wait(seen);
      turn.store(now + 1);
      turn.notify_one();
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(turn.load(), rounds);
}

}  // namespace
