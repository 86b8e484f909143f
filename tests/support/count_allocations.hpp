#pragma once

#include <cstdlib>
#include <new>

#include "support/allocations.hpp"

// Counts every allocation of the program that includes this header, in one of its files.

namespace counting {
[[gnu::noinline]] inline void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  size = (size + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, size > 0 ? size : alignment)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] inline void release(void* memory) noexcept { std::free(memory); }
}  // namespace counting

void* operator new(std::size_t size) { return counting::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counting::allocate(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { counting::release(memory); }
