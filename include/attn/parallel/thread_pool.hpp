#pragma once

#include <algorithm>
#include <atomic>
#include <attn/core/config.hpp>
#include <attn/parallel/machine.hpp>
#include <attn/parallel/task.hpp>
#include <attn/parallel/waitable.hpp>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Threads that work on a loop together with its caller. They start with the first loop and end
/// with the pool. Indices are handed out one by one from a counter, so that uneven tasks even out.
/// A loop rarely takes longer than it takes to wake a thread, so both sides spin for some ten
/// microseconds before they sleep.
class ThreadPool {
 public:
  /// `threads` counts the caller; there are never more workers than the system grants.
  explicit ThreadPool(Index threads) : threads_(threads) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    stop_.store(true, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
    // A forked child has the handles of its parent's threads, but not the threads.
    const bool forked = process_ != process_id();
    for (std::thread& worker : workers_) forked ? worker.detach() : worker.join();
  }

  Index threads() const { return threads_; }

  /// task(0) … task(count − 1), each once, in any order; returns when all are done. The task must
  /// not throw. While the pool runs another caller's loop, this caller runs its own alone.
  void run(Index count, Task task) {
    if (threads_ == 1 || busy_.test_and_set(std::memory_order_acquire)) {
      for (Index i = 0; i < count; ++i) task(i);
      return;
    }
    if (workers_.empty()) start();
    task_ = task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    gate_.fetch_sub(closed, std::memory_order_release);
    epoch_.fetch_add(1, std::memory_order_release);
    wake(count - 1);
    run_tasks();
    gate_.fetch_add(closed, std::memory_order_relaxed);
    wait_while([](int gate) { return gate != closed; }, gate_);
    busy_.clear(std::memory_order_release);
  }

 private:
  static constexpr int closed = 1 << 30;
  static constexpr int spins = 1000;

  /// Returns the first value for which `waiting` is false.
  template <class Waiting, class Atomic>
  static typename Atomic::value_type wait_while(Waiting waiting, const Atomic& value) {
    auto seen = value.load(std::memory_order_acquire);
    for (int i = 0; i < spins && waiting(seen); ++i) {
      pause();
      seen = value.load(std::memory_order_acquire);
    }
    while (waiting(seen)) {
      value.wait(seen, std::memory_order_acquire);
      seen = value.load(std::memory_order_acquire);
    }
    return seen;
  }

  void start() {
    process_ = process_id();
    workers_.reserve(static_cast<std::size_t>(threads_ - 1));
    try {
      while (static_cast<Index>(workers_.size()) < threads_ - 1)
        workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The system grants no more threads: these must do.
    }
  }

  void wake(Index workers) {
    if (workers >= static_cast<Index>(workers_.size())) {
      epoch_.notify_all();
    } else {
      for (Index i = 0; i < workers; ++i) epoch_.notify_one();
    }
  }

  void work() {
    for (std::uint32_t seen = 0;;) {
      seen = wait_while([&](std::uint32_t epoch) { return epoch == seen; }, epoch_);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (gate_.fetch_add(1, std::memory_order_acquire) < closed) run_tasks();
      if (gate_.fetch_sub(1, std::memory_order_release) == closed + 1) gate_.notify_one();
    }
  }

  void run_tasks() {
    for (Index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) task_(i);
  }

  const Index threads_;
  std::vector<std::thread> workers_;
  std::int64_t process_ = process_id();
  /// Held by the caller whose loop runs; it guards what only a caller writes.
  std::atomic_flag busy_;
  Task task_;
  Index count_ = 0;
  alignas(64) std::atomic<Index> next_{0};
  /// The number of workers inside, plus `closed` unless there is a loop to work on.
  alignas(64) Waitable<int> gate_{closed};
  /// Counts the loops; workers sleep on it.
  alignas(64) Waitable<std::uint32_t> epoch_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
