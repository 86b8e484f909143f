#pragma once

#include <algorithm>
#include <atomic>
#include <attn/core/memory.hpp>
#include <attn/core/thread_object.hpp>
#include <attn/parallel/executor.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Memory of the calling thread for the duration of a loop. The thread keeps it from one loop to
/// the next, so that calls of a shape that has been seen allocate nothing. A loop within a task
/// gets memory of its own.
class TaskMemory {
 public:
  explicit TaskMemory(Index bytes) {
    Memory& memory = use_.outermost ? thread_object<Kept>().memory : own_;
    if (memory.size() < static_cast<std::size_t>(bytes)) {
      memory.release();  // before it allocates
      memory = Memory::allocate(static_cast<std::size_t>(bytes));
    }
    data_ = memory.data();
  }
  TaskMemory(const TaskMemory&) = delete;
  TaskMemory& operator=(const TaskMemory&) = delete;
  std::byte* data() const { return data_; }

 private:
  /// What a thread keeps from one loop to the next.
  struct Kept {
    Memory memory;
  };
  static inline thread_local bool in_use = false;
  /// Marks the thread's memory as used, also while a constructor throws.
  struct Use {
    bool outermost = !std::exchange(in_use, true);
    ~Use() {
      if (outermost) in_use = false;
    }
  };

  Use use_;
  Memory own_;
  std::byte* data_;
};

/// Refers to a callable `void(Index, std::byte*)` that somebody else owns.
struct TaskWithMemory {
  const void* callable;
  void (*call)(const void* callable, Index i, std::byte* memory);
};
template <class F>
TaskWithMemory task_with_memory(const F& task) {
  return {std::addressof(task), [](const void* callable, Index i, std::byte* memory) {
            (*static_cast<const F*>(callable))(i, memory);
          }};
}

/// Calls task(0, memory) … task(count − 1, memory) in parallel; each has `bytes` bytes of its own.
[[gnu::noinline]] inline void parallel_for_with_memory(Index count, Index bytes,
                                                       const TaskWithMemory& task) {
  const Index workers =
      process::in_task ? std::min<Index>(count, 1) : std::min(count, num_threads());
  const Index stride = (bytes + 63) / 64 * 64;
  const TaskMemory task_memory(workers * stride);
  std::atomic<Index> next = 0;
  parallel_for(workers, [&](Index worker) {
    std::byte* const memory = task_memory.data() + worker * stride;
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
      task.call(task.callable, i, memory);
  });
}

}  // namespace detail

/// task(0, memory) … task(count − 1, memory), as parallel_for does. `memory` holds `size` elements
/// of T at a 64-byte boundary, which no other task uses at the same time; what they contain at
/// first is unspecified.
template <class T, class F>
void parallel_for(Index count, Index size, F&& task) {
  const auto call = [&task](Index i, std::byte* memory) { task(i, reinterpret_cast<T*>(memory)); };
  detail::parallel_for_with_memory(count, size * static_cast<Index>(sizeof(T)),
                                   detail::task_with_memory(call));
}

}  // namespace ATTN_ABI
}  // namespace attn
