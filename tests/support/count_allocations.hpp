#pragma once

#include <malloc.h>

#include <cstdlib>
#include <new>

#include "support/allocations.hpp"

// Counts every allocation of the program that includes this header, in one of its files.

namespace counting {
#ifdef _WIN32
inline constexpr std::size_t header = alignof(std::max_align_t);  // holds the size
inline void* aligned_memory(std::size_t alignment, std::size_t size) {
  void* const begin = _aligned_offset_malloc(size + header, alignment, header);
  if (!begin) return nullptr;
  ::new (begin) std::size_t{size};
  return static_cast<std::byte*>(begin) + header;
}
inline void* begin_of(void* memory) { return static_cast<std::byte*>(memory) - header; }
inline std::size_t size_of(void* memory) { return *static_cast<std::size_t*>(begin_of(memory)); }
inline void free_aligned(void* memory) { _aligned_free(begin_of(memory)); }
#else
inline void* aligned_memory(std::size_t alignment, std::size_t size) {
  return std::aligned_alloc(alignment, size);
}
inline std::size_t size_of(void* memory) { return malloc_usable_size(memory); }
inline void free_aligned(void* memory) { std::free(memory); }
#endif

[[gnu::noinline]] inline void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  size = (size + alignment - 1) / alignment * alignment;
  void* const memory = aligned_memory(alignment, size > 0 ? size : alignment);
  if (!memory) throw std::bad_alloc();
  const auto bytes = static_cast<std::ptrdiff_t>(size_of(memory)),
             now = bytes_allocated.fetch_add(bytes) + bytes;
  std::ptrdiff_t most = most_bytes_allocated;
  while (now > most && !most_bytes_allocated.compare_exchange_weak(most, now)) continue;
  return memory;
}
inline void* allocate_or_null(std::size_t size, std::size_t alignment) noexcept {
  try {
    return allocate(size, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] inline void release(void* memory) noexcept {
  if (memory) bytes_allocated -= static_cast<std::ptrdiff_t>(size_of(memory));
  free_aligned(memory);
}
}  // namespace counting

void* operator new(std::size_t size) { return counting::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counting::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counting::allocate_or_null(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counting::allocate_or_null(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { counting::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  counting::release(memory);
}
