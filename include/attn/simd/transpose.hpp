#pragma once

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>

namespace attn {
inline namespace ATTN_ABI {
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

#ifdef __AVX__

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

#endif

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
