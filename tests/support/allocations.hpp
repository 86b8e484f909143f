#pragma once

#include <atomic>
#include <cstddef>

/// Allocations so far, in a program one of whose files includes support/count_allocations.hpp.
inline std::atomic<std::size_t> allocations = 0;
/// Bytes that are allocated now, and the most that were since somebody set it.
inline std::atomic<std::ptrdiff_t> bytes_allocated = 0, most_bytes_allocated = 0;

/// Heap allocations of the second of two equal calls.
template <class F>
std::size_t allocations_of_second(F&& f) {
  f();
  const std::size_t before = allocations;
  f();
  return allocations - before;
}
