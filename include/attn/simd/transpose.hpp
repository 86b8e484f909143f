#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_TRANSPOSE_HPP
#define ATTN_SIMD_TRANSPOSE_HPP

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>

#define ATTN_KERNELS <attn/simd/transpose.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// Row i, lane j becomes row j, lane i. The registers of 16 bytes; wider ones are below.
template <class T, Index n>
void transpose(Array<Lanes<T, n>, n>& rows) {
  static_assert(sizeof(Register<T, n>) == 16);
  if constexpr (n == 2) {
    const auto a = rows[0].packet;
    const auto b = rows[1].packet;
    rows[0].packet = __builtin_shufflevector(a, b, 0, 2);
    rows[1].packet = __builtin_shufflevector(a, b, 1, 3);
  } else {
    const auto low_01 = __builtin_shufflevector(rows[0].packet, rows[1].packet, 0, 4, 1, 5);
    const auto high_01 = __builtin_shufflevector(rows[0].packet, rows[1].packet, 2, 6, 3, 7);
    const auto low_23 = __builtin_shufflevector(rows[2].packet, rows[3].packet, 0, 4, 1, 5);
    const auto high_23 = __builtin_shufflevector(rows[2].packet, rows[3].packet, 2, 6, 3, 7);
    rows[0].packet = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
    rows[1].packet = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
    rows[2].packet = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
    rows[3].packet = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
  }
}

#if ATTN_REGISTER_BYTES == 32

/// The 2×2 matrices of doubles in two rows are transposed, then halves of registers.
inline void transpose(Array<Lanes<double, 4>, 4>& rows) {
  Array<Register<double, 4>, 4> x;
#pragma GCC unroll 2
  for (Index i = 0; i < 4; i += 2) {
    x[i] = __builtin_shufflevector(rows[i].packet, rows[i + 1].packet, 0, 4, 2, 6);
    x[i + 1] = __builtin_shufflevector(rows[i].packet, rows[i + 1].packet, 1, 5, 3, 7);
  }
#pragma GCC unroll 2
  for (Index j = 0; j < 2; ++j) {
    rows[j].packet = __builtin_shufflevector(x[j], x[j + 2], 0, 1, 4, 5);
    rows[j + 2].packet = __builtin_shufflevector(x[j], x[j + 2], 2, 3, 6, 7);
  }
}

/// The 4×4 matrices of floats in four rows are transposed, then halves of registers.
inline void transpose(Array<Lanes<float, 8>, 8>& rows) {
  Array<Register<float, 8>, 8> x;
#pragma GCC unroll 2
  for (Index i = 0; i < 8; i += 4) {
    const auto& a = rows[i].packet;
    const auto& b = rows[i + 1].packet;
    const auto& c = rows[i + 2].packet;
    const auto& d = rows[i + 3].packet;
    const auto low_ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    const auto high_ab = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
    const auto low_cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
    const auto high_cd = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
    x[i] = __builtin_shufflevector(low_ab, low_cd, 0, 1, 8, 9, 4, 5, 12, 13);
    x[i + 1] = __builtin_shufflevector(low_ab, low_cd, 2, 3, 10, 11, 6, 7, 14, 15);
    x[i + 2] = __builtin_shufflevector(high_ab, high_cd, 0, 1, 8, 9, 4, 5, 12, 13);
    x[i + 3] = __builtin_shufflevector(high_ab, high_cd, 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (Index j = 0; j < 4; ++j) {
    rows[j].packet = __builtin_shufflevector(x[j], x[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    rows[j + 4].packet = __builtin_shufflevector(x[j], x[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

#elif ATTN_REGISTER_BYTES == 64

ATTN_BEGIN_UNDEFINED_REGISTERS

/// Row i, quarter j becomes row j, quarter i of four registers that are `stride` rows apart. It is
/// inlined, so that the rows stay in registers.
template <class T, Index n>
EIGEN_ALWAYS_INLINE void transpose_quarters(Array<Lanes<T, n>, n>& rows, Index first,
                                            Index stride) {
  __m512d x[4];
#pragma GCC unroll 4
  for (Index i = 0; i < 4; ++i) x[i] = reinterpret<__m512d>(rows[first + i * stride].packet);
  const __m512d even_01 = _mm512_shuffle_f64x2(x[0], x[1], 0x88);
  const __m512d odd_01 = _mm512_shuffle_f64x2(x[0], x[1], 0xdd);
  const __m512d even_23 = _mm512_shuffle_f64x2(x[2], x[3], 0x88);
  const __m512d odd_23 = _mm512_shuffle_f64x2(x[2], x[3], 0xdd);
  x[0] = _mm512_shuffle_f64x2(even_01, even_23, 0x88);
  x[1] = _mm512_shuffle_f64x2(odd_01, odd_23, 0x88);
  x[2] = _mm512_shuffle_f64x2(even_01, even_23, 0xdd);
  x[3] = _mm512_shuffle_f64x2(odd_01, odd_23, 0xdd);
  using Packet = typename Lanes<T, n>::Packet;
#pragma GCC unroll 4
  for (Index i = 0; i < 4; ++i) rows[first + i * stride].packet = reinterpret<Packet>(x[i]);
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
  for (Index j = 0; j < 2; ++j) transpose_quarters(rows, j, 2);
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
  for (Index j = 0; j < 4; ++j) transpose_quarters(rows, j, 4);
}

ATTN_END_UNDEFINED_REGISTERS

#endif

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
