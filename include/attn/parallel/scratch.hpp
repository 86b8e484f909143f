#pragma once

#include <atomic>
#include <attn/core/buffer.hpp>
#include <attn/parallel/executor.hpp>
#include <cstddef>

namespace attn {
inline namespace ATTN_ABI {

/// Memory of a calling thread for the time of a loop, kept from one call to the next, so that calls
/// of a shape that has been seen allocate nothing.
class Scratch {
 public:
  explicit Scratch(Index bytes) : outermost_(!std::exchange(taken, true)) {
    Buffer<std::byte>& memory = outermost_ ? kept : own_;
    if (memory.size() < bytes) memory = Buffer<std::byte>(), memory = Buffer<std::byte>(bytes);
    data_ = memory.data();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (outermost_) taken = false;
  }
  std::byte* data() const { return data_; }

 private:
  static inline thread_local Buffer<std::byte> kept;
  static inline thread_local bool taken = false;  // by a loop that this one runs in

  bool outermost_;
  Buffer<std::byte> own_;
  std::byte* data_;
};

/// task(0, memory) … task(count − 1, memory), as parallel_for does, each with `size` numbers T of
/// memory, at a 64-byte boundary, that no other task uses at the same time and whose content means
/// nothing.
template <class T, class F>
void parallel_for(Index count, Index size, F&& task) {
  const Index workers =
      process::in_task ? std::min<Index>(count, 1) : std::min(count, num_threads());
  const Index bytes = (size * static_cast<Index>(sizeof(T)) + 63) / 64 * 64;
  Scratch scratch(workers * bytes);
  std::atomic<Index> next = 0;
  parallel_for(workers, [&](Index worker) {
    T* const memory = reinterpret_cast<T*>(scratch.data() + worker * bytes);
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i, memory);
  });
}

}  // namespace ATTN_ABI
}  // namespace attn
