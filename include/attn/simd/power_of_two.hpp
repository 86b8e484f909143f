#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_POWER_OF_TWO_HPP
#define ATTN_SIMD_POWER_OF_TWO_HPP

#include <attn/simd/lanes.hpp>

#define ATTN_KERNELS <attn/simd/power_of_two.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// 1.5 · 2^23 or 1.5 · 2^52, plus the bias of the exponent: a sum with it holds an integer in its
/// last bits.
template <class T>
inline constexpr T power_of_two_shift =
    sizeof(T) == 4 ? T(12582912 + 127) : T(6755399441055744 + 1023);

/// 2ⁱ for integers i in (−bias, bias], given as i + `power_of_two_shift`: i stands in the last
/// bits, and is moved to the exponent. 0 for −bias.
template <class T, Index n>
Lanes<T, n> power_of_two(const Lanes<T, n>& shifted) {
  constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
  using Bits = Register<LaneInteger<T>, n>;
  return Lanes<T, n>::of(
      reinterpret<Register<T, n> >(reinterpret<Bits>(shifted.packet) << mantissa));
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
