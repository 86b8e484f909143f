#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <cstdint>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The number of cores that this process may use. (On Windows with MinGW, hardware_concurrency
/// counts those of the process.)
inline Index available_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<Index>(std::max(1u, std::thread::hardware_concurrency()));
}

/// The same for all processes that may use the same cores, and hardly for others. 0 where the
/// system does not tell.
inline std::uint64_t core_set_hash() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    std::uint64_t hash = 0;
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core)
      hash = hash * 0x9E3779B97F4A7C15 + (CPU_ISSET(core, &set) ? 2 : 1);
    return hash;
  }
#endif
  return 0;
}

/// Tells a forked child from its parent; always 0 where a process cannot fork.
inline std::int64_t process_id() {
#if defined(__unix__) || defined(__APPLE__)
  return getpid();
#else
  return 0;
#endif
}

/// Tells the core that this thread is only waiting.
inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#else
  std::this_thread::yield();
#endif
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
