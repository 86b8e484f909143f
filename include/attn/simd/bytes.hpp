#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_BYTES_HPP
#define ATTN_SIMD_BYTES_HPP

#include <attn/simd/machine_operations.hpp>
#include <bit>

#define ATTN_KERNELS <attn/simd/bytes.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

// Registers of words of 32 bits, each of four bytes in the order of memory.

/// Byte i of each word as its highest, with zeros below: as an integer, 2²⁴ times the signed byte.
template <class Words>
Words byte_on_top(const Words& words, int i) {
  const int byte = std::endian::native == std::endian::little ? i : 3 - i;
  return words << (24 - 8 * byte) & static_cast<std::int32_t>(0xff000000);
}

ATTN_BEGIN_UNDEFINED_REGISTERS

#if ATTN_AVX2 && ATTN_REGISTER_BYTES == 32
inline Register<std::int32_t, 8> byte_on_top(const Register<std::int32_t, 8>& words, int i) {
  const __m256i first = _mm256_setr_epi32(0x00808080, 0x04808080, 0x08808080, 0x0c808080,
                                          0x00808080, 0x04808080, 0x08808080, 0x0c808080);
  const __m256i source = _mm256_add_epi32(first, _mm256_set1_epi32(i << 24));
  return reinterpret<Register<std::int32_t, 8> >(
      _mm256_shuffle_epi8(reinterpret<__m256i>(words), source));
}
#elif ATTN_AVX2 && ATTN_REGISTER_BYTES == 64
inline Register<std::int32_t, 16> byte_on_top(const Register<std::int32_t, 16>& words, int i) {
  const __m512i first = _mm512_set4_epi32(0x0c808080, 0x08808080, 0x04808080, 0x00808080);
  const __m512i source = _mm512_add_epi32(first, _mm512_set1_epi32(i << 24));
  return reinterpret<Register<std::int32_t, 16> >(
      _mm512_shuffle_epi8(reinterpret<__m512i>(words), source));
}
#endif

ATTN_END_UNDEFINED_REGISTERS

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
