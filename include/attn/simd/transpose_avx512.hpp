#pragma once

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>
#include <bit>

#ifdef __AVX512F__
namespace attn {
inline namespace ATTN_ABI {

namespace simd {

ATTN_BEGIN_UNDEFINED_REGISTERS

/// Row i, quarter j becomes row j, quarter i of four registers that are `stride` rows apart.
template <class T, Index n>
void transpose_quarters(Lanes<T, n>* row, Index stride) {
  __m512d x[4];
  for (Index i = 0; i < 4; ++i) x[i] = std::bit_cast<__m512d>(row[i * stride].packet);
  const __m512d even_01 = _mm512_shuffle_f64x2(x[0], x[1], 0x88);
  const __m512d odd_01 = _mm512_shuffle_f64x2(x[0], x[1], 0xdd);
  const __m512d even_23 = _mm512_shuffle_f64x2(x[2], x[3], 0x88);
  const __m512d odd_23 = _mm512_shuffle_f64x2(x[2], x[3], 0xdd);
  x[0] = _mm512_shuffle_f64x2(even_01, even_23, 0x88);
  x[1] = _mm512_shuffle_f64x2(odd_01, odd_23, 0x88);
  x[2] = _mm512_shuffle_f64x2(even_01, even_23, 0xdd);
  x[3] = _mm512_shuffle_f64x2(odd_01, odd_23, 0xdd);
  using Packet = typename Lanes<T, n>::Packet;
  for (Index i = 0; i < 4; ++i) row[i * stride].packet = std::bit_cast<Packet>(x[i]);
}

/// The 2×2 matrices of doubles in two rows are transposed, then quarters of registers.
inline void transpose(Array<Lanes<double, 8>, 8>& rows) {
#pragma GCC unroll 4
  for (Index i = 0; i < 8; i += 2) {
    const __m512d a = rows[i].packet, b = rows[i + 1].packet;
    rows[i].packet = _mm512_unpacklo_pd(a, b);
    rows[i + 1].packet = _mm512_unpackhi_pd(a, b);
  }
#pragma GCC unroll 2
  for (Index j = 0; j < 2; ++j) transpose_quarters(&rows[j], 2);
}

/// The 4×4 matrices of floats in four rows are transposed, then quarters of registers.
inline void transpose(Array<Lanes<float, 16>, 16>& rows) {
#pragma GCC unroll 4
  for (Index i = 0; i < 16; i += 4) {
    const __m512 low_01 = _mm512_unpacklo_ps(rows[i].packet, rows[i + 1].packet);
    const __m512 high_01 = _mm512_unpackhi_ps(rows[i].packet, rows[i + 1].packet);
    const __m512 low_23 = _mm512_unpacklo_ps(rows[i + 2].packet, rows[i + 3].packet);
    const __m512 high_23 = _mm512_unpackhi_ps(rows[i + 2].packet, rows[i + 3].packet);
    rows[i].packet = _mm512_shuffle_ps(low_01, low_23, 0x44);
    rows[i + 1].packet = _mm512_shuffle_ps(low_01, low_23, 0xee);
    rows[i + 2].packet = _mm512_shuffle_ps(high_01, high_23, 0x44);
    rows[i + 3].packet = _mm512_shuffle_ps(high_01, high_23, 0xee);
  }
#pragma GCC unroll 4
  for (Index j = 0; j < 4; ++j) transpose_quarters(&rows[j], 4);
}

ATTN_END_UNDEFINED_REGISTERS

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
#endif
