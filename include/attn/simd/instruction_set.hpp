#pragma once

#include <atomic>
#include <attn/core/error.hpp>
#include <attn/simd/targets.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {

/// What kernels are compiled for. `native` is the instruction set that the file itself is compiled
/// for: SSE2 in a plain build for x86-64, NEON for aarch64, and what -march says otherwise.
enum class InstructionSet { native, avx2, avx512 };

/// "native", "avx2", "avx512"
constexpr std::string_view to_string(InstructionSet set) {
  constexpr std::string_view names[] = {"native", "avx2", "avx512"};
  return names[static_cast<int>(set)];
}

namespace detail {

/// The best instruction set that this build has kernels for and this processor runs.
inline InstructionSet best_instruction_set() {
#if ATTN_DISPATCHES
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return InstructionSet::native;
  if (ATTN_DISPATCHES >= 512 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return InstructionSet::avx512;
  return InstructionSet::avx2;
#else
  return InstructionSet::native;
#endif
}

/// Errors: OptionError if the processor or the build does not have it.
inline InstructionSet expect_available(InstructionSet set) {
  const InstructionSet best = best_instruction_set();
  if (set <= best) return set;
  throw OptionError("attn: the instruction set " + std::string(to_string(set)) +
                    " must be one that this build and this processor have, at most " +
                    std::string(to_string(best)));
}
/// Errors: OptionError if the name is unknown or not available.
inline InstructionSet instruction_set_named(std::string_view name) {
  for (const auto set : {InstructionSet::native, InstructionSet::avx2, InstructionSet::avx512})
    if (name == to_string(set)) return expect_available(set);
  throw OptionError("attn: the instruction set \"" + std::string(name) +
                    "\" must be native, avx2 or avx512");
}

inline InstructionSet initial_instruction_set() {
  const char* const name = std::getenv("ATTN_INSTRUCTION_SET");
  return name && *name ? instruction_set_named(name) : best_instruction_set();
}
inline std::atomic<InstructionSet>& current_instruction_set() {
  static std::atomic<InstructionSet> set = initial_instruction_set();
  return set;
}

}  // namespace detail

/// The instruction set of the kernels in use: the best that this build has kernels for and the
/// processor runs, or a lower one that the environment names, ATTN_INSTRUCTION_SET=avx2.
/// Errors: OptionError if the environment names an unknown one, or one that is not available.
inline InstructionSet instruction_set() {
  return detail::current_instruction_set().load(std::memory_order_relaxed);
}
/// Uses another instruction set from the next call of the library on, for tests and comparisons.
/// Weights that are packed for another one are packed again.
/// Errors: OptionError if it is not available.
inline void set_instruction_set(InstructionSet set) {
  detail::current_instruction_set() = detail::expect_available(set);
}

}  // namespace ATTN_ABI
}  // namespace attn
