#pragma once

#include <atomic>
#include <attn/core/option.hpp>
#include <attn/parallel/thread_pool.hpp>
#include <attn/parallel/waitable.hpp>
#include <concepts>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

// Outside of ATTN_ABI on purpose: a program has one executor, whatever instruction sets its parts
// are compiled for.
namespace attn::process {

/// Runs the tasks of a loop.
struct Executor {
  virtual ~Executor() = default;
  virtual void run(Eigen::Index count, Task task) = 0;
  virtual Eigen::Index threads() const = 0;
};

/// A mutex that is constant-initialized and never destroyed on any platform, so that static objects
/// may run loops in their constructors and destructors. std::mutex is not, on Windows.
class Mutex {
 public:
  void lock() {
    while (locked_.test_and_set(std::memory_order_acquire)) {
      if constexpr (detail::atomics_can_wait) {
        locked_.wait(true, std::memory_order_relaxed);
      } else {
        std::this_thread::yield();  // it is held while a pointer is copied
      }
    }
  }
  void unlock() {
    locked_.clear(std::memory_order_release);
    locked_.notify_one();
  }

 private:
  std::atomic_flag locked_;
};

struct Current {
  std::shared_ptr<Executor> executor;
  ~Current();
};

/// Guards `over` and `current`.
constinit inline Mutex mutex;
/// Static objects are being destroyed: from now on, loops run on their callers.
constinit inline bool over = false;
/// No executor until the first loop.
inline Current current;
/// Whether this thread is in a task of a loop.
constinit inline thread_local bool in_task = false;

inline Current::~Current() {
  const std::lock_guard lock(mutex);
  over = true;
}

}  // namespace attn::process

namespace attn {
inline namespace ATTN_ABI {

/// An executor: the built-in pool of `threads` threads, the caller among them; 0 means one for each
/// core that the process may use.
struct Pool {
  Index threads = 0;
};

/// An executor: none; every loop runs on its caller.
struct Serial {};

namespace detail {

/// A host program's `executor(count, task)`.
template <class F>
struct HostExecutor final : process::Executor {
  explicit HostExecutor(F f) : executor(std::move(f)) {}
  void run(Index count, Task task) override { executor(count, task); }
  Index threads() const override { return available_cores(); }
  F executor;
};
struct PoolExecutor final : process::Executor {
  explicit PoolExecutor(Index threads) : pool(threads) {}
  void run(Index count, Task task) override { pool.run(count, task); }
  Index threads() const override { return pool.threads(); }
  ThreadPool pool;
};

/// The executor in use, made if there is none yet; null while the program ends.
inline std::shared_ptr<process::Executor> current_executor() {
  const std::lock_guard lock(process::mutex);
  if (process::over) return nullptr;
  if (!process::current.executor)
    process::current.executor = std::make_shared<PoolExecutor>(available_cores());
  return process::current.executor;
}

/// The lock is released first, then the old executor, unless a loop still uses it.
inline void exchange_executor(std::shared_ptr<process::Executor> executor) {
  const std::lock_guard lock(process::mutex);
  if (!process::over) process::current.executor.swap(executor);
}

}  // namespace detail

/// Hands the library's loops to the host program: `executor(count, task)` must call task(0) …
/// task(count − 1), each once, on any threads, and return when all are done. It is called from
/// several threads at once if the library is. The last executor that was set is used from the next
/// loop on; loops that run already finish where they began.
template <class F>
  requires std::invocable<F&, Index, Task>
void set_executor(F executor) {
  detail::exchange_executor(std::make_shared<detail::HostExecutor<F>>(std::move(executor)));
}
/// Errors: OptionError if the number of threads is negative.
inline void set_executor(Pool pool) {
  expect_option(pool.threads >= 0, "set_executor", "Pool::threads", pool.threads,
                "at least 1, or 0 for all cores");
  const Index threads = pool.threads > 0 ? pool.threads : detail::available_cores();
  detail::exchange_executor(std::make_shared<detail::PoolExecutor>(threads));
}
inline void set_executor(Serial) { set_executor(Pool{1}); }

/// Uses the built-in pool with n threads, the caller among them; with 1, loops run on their
/// callers. Errors: OptionError if n < 1.
inline void set_num_threads(Index n) {
  expect_option(n >= 1, "set_num_threads", "n", n, "at least 1");
  set_executor(Pool{n});
}

/// The number of threads that work on a loop, the caller among them: the pool's; under a host's
/// executor, the number of cores that the process may use.
[[gnu::noinline]] inline Index num_threads() {
  const auto executor = detail::current_executor();
  return executor ? executor->threads() : 1;
}

/// task(0) … task(count − 1), each once, in any order, on any thread; returns when all are done.
/// The first exception that a task throws is thrown here, and tasks that have not begun by then are
/// skipped. A loop within a task runs on its caller.
/// Cost: no allocation; some microseconds where workers have to be woken.
inline void parallel_for(Index count, Task task) {
  const auto executor = count > 1 && !process::in_task ? detail::current_executor() : nullptr;
  if (!executor) {
    for (Index i = 0; i < count; ++i) task(i);
    return;
  }
  std::atomic<bool> failed = false;
  std::exception_ptr error;
  const auto guarded = [&](Index i) noexcept {
    if (failed.load(std::memory_order_relaxed)) return;
    const bool outer = std::exchange(process::in_task, true);
    try {
      task(i);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
    process::in_task = outer;
  };
  executor->run(count, guarded);
  if (error) std::rethrow_exception(std::move(error));
}

}  // namespace ATTN_ABI
}  // namespace attn
