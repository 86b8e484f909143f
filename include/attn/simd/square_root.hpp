#pragma once

#include <attn/simd/simd.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {
namespace simd {

/// √x, rounded once. Numerics: Eigen 3.4's psqrt of floats is an approximation on x86, which makes
/// 0 of what is below 1e-38 and NaN of infinity; there the machine's own instruction is taken.
template <class Packet>
Packet root_of(const Packet& x) {
  return packet::psqrt(x);
}
#ifdef EIGEN_VECTORIZE_SSE
inline __m128 root_of(const __m128& x) { return _mm_sqrt_ps(x); }
#endif
#ifdef EIGEN_VECTORIZE_AVX
inline __m256 root_of(const __m256& x) { return _mm256_sqrt_ps(x); }
#endif
#ifdef EIGEN_VECTORIZE_AVX512
inline __m512 root_of(const __m512& x) { return _mm512_sqrt_ps(x); }
#endif
template <class T, Index n>
Lanes<T, n> sqrt(const Lanes<T, n>& x) {
  if constexpr (n == 1) return std::sqrt(x.packet);
  else return Lanes<T, n>::of(root_of(x.packet));
}

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
