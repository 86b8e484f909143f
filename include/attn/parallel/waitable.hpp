#pragma once

#include <atomic>
#include <attn/core/config.hpp>
#include <condition_variable>
#include <mutex>
#include <type_traits>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Whether `std::atomic<T>::wait` sees every notification. Where it has no futex, as on Windows,
/// libstdc++ checks the value before it locks what it sleeps on: a notification in between is lost,
/// and the thread may sleep forever.
#if defined(__GLIBCXX__) && !defined(_GLIBCXX_HAVE_LINUX_FUTEX)
inline constexpr bool atomics_can_wait = false;
#else
inline constexpr bool atomics_can_wait = true;
#endif

/// A `std::atomic<T>` whose `wait` checks the value under the lock that `notify_…` takes.
template <class T>
class LockedAtomic : public std::atomic<T> {
 public:
  using std::atomic<T>::atomic;

  void wait(T old, std::memory_order order = std::memory_order_seq_cst) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return this->load(order) != old; });
  }
  void notify_one() {
    wait_for_checks();
    changed_.notify_one();
  }
  void notify_all() {
    wait_for_checks();
    changed_.notify_all();
  }

 private:
  /// From here on, a thread that has seen the old value sleeps.
  void wait_for_checks() { const std::lock_guard lock(mutex_); }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
};

/// An atomic variable that threads can wait for.
template <class T>
using Waitable = std::conditional_t<atomics_can_wait, std::atomic<T>, LockedAtomic<T>>;

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
