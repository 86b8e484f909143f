#pragma once

#include <attn/simd/lanes.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace simd {

/// Makes the compiler treat x as a new value in a register. It is then not read again from memory,
/// as g++ would do although loads are the scarce resource, and not simplified together with what it
/// was computed from.
template <class T, Index n>
void pin(Lanes<T, n>& x) {
#if defined(__x86_64__) || defined(__i386__)
  asm("" : "+v"(x.packet));
#elif defined(__aarch64__)
  asm("" : "+w"(x.packet));
#else
  asm("" : "+m"(x.packet));  // in memory: slower, on any machine
#endif
}

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
