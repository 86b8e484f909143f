#pragma once

#include <algorithm>
#include <atomic>
#include <attn/core/buffer.hpp>
#include <attn/core/thread_object.hpp>
#include <attn/parallel/executor.hpp>
#include <cstddef>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Memory of the calling thread for the duration of a loop. The thread keeps it from one loop to
/// the next, so that calls of a shape that has been seen allocate nothing. A loop within a task
/// gets memory of its own.
class TaskMemory {
 public:
  explicit TaskMemory(Index bytes) : outermost_(!std::exchange(in_use, true)) {
    Buffer<std::byte>& memory = outermost_ ? thread_object<Kept>().buffer : own_;
    if (memory.size() < bytes) {
      memory = Buffer<std::byte>();  // frees before it allocates
      memory = Buffer<std::byte>(bytes);
    }
    data_ = memory.data();
  }
  TaskMemory(const TaskMemory&) = delete;
  TaskMemory& operator=(const TaskMemory&) = delete;
  ~TaskMemory() {
    if (outermost_) in_use = false;
  }
  std::byte* data() const { return data_; }

 private:
  /// What a thread keeps from one loop to the next.
  struct Kept {
    Buffer<std::byte> buffer;
  };
  static inline thread_local bool in_use = false;

  bool outermost_;
  Buffer<std::byte> own_;
  std::byte* data_;
};

}  // namespace detail

/// task(0, memory) … task(count − 1, memory), as parallel_for does. `memory` holds `size` elements
/// of T at a 64-byte boundary, which no other task uses at the same time; what they contain at
/// first is unspecified.
template <class T, class F>
void parallel_for(Index count, Index size, F&& task) {
  const Index workers =
      process::in_task ? std::min<Index>(count, 1) : std::min(count, num_threads());
  const Index bytes = (size * static_cast<Index>(sizeof(T)) + 63) / 64 * 64;
  const detail::TaskMemory task_memory(workers * bytes);
  std::atomic<Index> next = 0;
  parallel_for(workers, [&](Index worker) {
    T* const memory = reinterpret_cast<T*>(task_memory.data() + worker * bytes);
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i, memory);
  });
}

}  // namespace ATTN_ABI
}  // namespace attn
