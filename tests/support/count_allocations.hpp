#pragma once

#include <malloc.h>

#include <cstdlib>
#include <new>

#include "support/allocations.hpp"

// Counts every allocation of the program that includes this header, in one of its files.

namespace counting {
[[gnu::noinline]] inline void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  size = (size + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, size > 0 ? size : alignment);
  if (!memory) throw std::bad_alloc();
  const auto bytes = static_cast<std::ptrdiff_t>(malloc_usable_size(memory)),
             now = bytes_allocated.fetch_add(bytes) + bytes;
  std::ptrdiff_t most = most_bytes_allocated;
  while (now > most && !most_bytes_allocated.compare_exchange_weak(most, now)) continue;
  return memory;
}
[[gnu::noinline]] inline void release(void* memory) noexcept {
  if (memory) bytes_allocated -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  std::free(memory);
}
}  // namespace counting

void* operator new(std::size_t size) { return counting::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counting::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  counting::release(memory);
}
