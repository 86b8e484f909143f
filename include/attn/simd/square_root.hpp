#pragma once

#include <attn/simd/simd.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

ATTN_BEGIN_UNDEFINED_REGISTERS

/// Eigen's square root, except where it is an approximation: Eigen 3.4's psqrt of floats on x86.
template <class Packet>
Packet square_root(const Packet& x) {
  return simd::packet::psqrt(x);
}
#ifdef EIGEN_VECTORIZE_SSE
inline __m128 square_root(const __m128& x) { return _mm_sqrt_ps(x); }
#endif
#ifdef EIGEN_VECTORIZE_AVX
inline __m256 square_root(const __m256& x) { return _mm256_sqrt_ps(x); }
#endif
#ifdef EIGEN_VECTORIZE_AVX512
inline __m512 square_root(const __m512& x) { return _mm512_sqrt_ps(x); }
#endif

ATTN_END_UNDEFINED_REGISTERS

}  // namespace detail

namespace simd {

/// √x, rounded once.
/// Numerics: Eigen 3.4's psqrt of floats is an approximation on x86, which returns 0 below 1e-38
/// and NaN for infinity; the machine's own instruction is used there.
template <class T, Index n>
Lanes<T, n> sqrt(const Lanes<T, n>& x) {
  if constexpr (n == 1) return std::sqrt(x.packet);
  else return Lanes<T, n>::of(detail::square_root(x.packet));
}

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
