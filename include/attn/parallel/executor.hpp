#pragma once

#include <atomic>
#include <attn/core/error.hpp>
#include <attn/parallel/thread_pool.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

// Outside of ATTN_ABI on purpose: a program has one executor, whatever instruction sets its parts
// are compiled for.
namespace attn::process {

/// Who runs the tasks of a loop.
struct Executor {
  virtual ~Executor() = default;
  virtual void run(Eigen::Index count, Task task) = 0;
  virtual Eigen::Index threads() const = 0;
};

struct Current {
  std::shared_ptr<Executor> executor;
  ~Current();
};

constinit inline std::mutex mutex;  // guards the next two
constinit inline bool over =
    false;  // static objects are being destroyed: loops run on their callers from now on
inline Current current;  // none until the first loop
constinit inline thread_local bool in_task = false;

inline Current::~Current() {
  const std::lock_guard lock(mutex);
  over = true;
}

}  // namespace attn::process

namespace attn {
inline namespace ATTN_ABI {

/// An executor: the built-in pool, of so many threads, the caller among them. 0: one for each core
/// that the process may use.
struct Pool {
  Index threads = 0;
};

/// An executor: none; every loop runs on its caller.
struct Serial {};

/// An `executor(count, task)` as process::Executor.
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

inline void exchange_executor(std::shared_ptr<process::Executor> executor) {
  const std::lock_guard lock(process::mutex);
  if (!process::over) process::current.executor.swap(executor);
}  // the lock is released first, then the old executor, unless a loop still uses it

/// Hands the library's loops to the host program: `executor(count, task)` must call task(0) …
/// task(count − 1), each once, on any threads, and return when all are done. It is called from
/// several threads at once if the library is. The last of these calls holds, from the next loop on;
/// loops that run finish where they began.
template <class F>
  requires std::invocable<F&, Index, Task>
void set_executor(F executor) {
  exchange_executor(std::make_shared<HostExecutor<F>>(std::move(executor)));
}
/// Errors: OptionError if the number of threads is negative.
inline void set_executor(Pool pool) {
  if (pool.threads < 0)
    throw OptionError("set_executor: Pool's threads " + std::to_string(pool.threads) +
                      " must be at least 1, or 0 for one a core");
  exchange_executor(
      std::make_shared<PoolExecutor>(pool.threads > 0 ? pool.threads : available_cores()));
}
inline void set_executor(Serial) { set_executor(Pool{1}); }

/// The built-in pool with n threads, the caller among them; 1 is none. Errors: OptionError if n <
/// 1.
inline void set_num_threads(Index n) {
  if (n < 1)
    throw OptionError("set_num_threads: the number of threads " + std::to_string(n) +
                      " must be at least 1");
  set_executor(Pool{n});
}

/// Threads that a loop is shared by, the caller among them: the pool's number; under a host's
/// executor, the cores that the process may use.
inline Index num_threads() {
  const auto executor = current_executor();
  return executor ? executor->threads() : 1;
}

/// task(0) … task(count − 1), each once, in any order, on any thread; returns when all are done.
/// The first exception that a task throws is thrown here, and tasks that have not begun by then are
/// skipped. A loop within a task runs on its caller.
/// Cost: no allocation; some microseconds where workers have to be woken.
inline void parallel_for(Index count, Task task) {
  const auto executor = count > 1 && !process::in_task ? current_executor() : nullptr;
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
