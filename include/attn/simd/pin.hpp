#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_PIN_HPP
#define ATTN_SIMD_PIN_HPP

#include <attn/simd/lanes.hpp>

#define ATTN_KERNELS <attn/simd/pin.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

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

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
