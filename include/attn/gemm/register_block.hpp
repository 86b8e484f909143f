#pragma once

#include <algorithm>
#include <attn/simd/simd.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The left factor of a product, where it lies: neighbours in a column are `row_step` apart, in a
/// row `step`.
template <class T>
struct LeftFactor {
  const T* data;
  Index row_step, step;
};

/// Rows of a block that is W vectors wide: as many as 16 registers have room for.
template <int W>
inline constexpr int block_rows = W == 1 ? 8 : 4;

/// Rows of W vectors in registers.
template <class T, int W, int R = block_rows<W>>
using RegisterBlock = simd::Array<simd::Array<simd::Vector<T>, W>, R>;

/// W vectors of a product, wherever its rows are: every matrix product of the kernels is this one.
///
///   C_rw = Σ_k A_rk B_kw,   k = 0 … n − 1, one after the other, from zero
///
/// R rows at a time are computed in registers, then finish(r, C) takes the block that begins with
/// row r; where the last one has fewer rows, its last row stands for those that are missing. Each
/// number of A is spread over a vector; a row of B is W vectors, and the next row `B_step` numbers
/// further. What a lane holds depends on its column of B and its row of A alone, not on R, W or its
/// place. Cost: R·W multiply-adds for R + W loads; not inlined, for the loop needs every register
/// there is.
template <int W, int R, class T, class Finish>
[[gnu::noinline]] void multiply(const LeftFactor<T> A, Index rows, const T* B, Index B_step,
                                Index n, const Finish finish) {
  using V = simd::Vector<T>;
  for (Index row = 0; row < rows; row += R) {
    RegisterBlock<T, W, R> C;
    simd::Array<const T*, R> a;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      a[r] = r == 0 ? A.data + row * A.row_step : a[r - 1] + (row + r < rows ? A.row_step : 0);
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) C[r][w] = T(0);
    }
    const T* b = B;
    for (Index k = 0; k < n; ++k, b += B_step) {
      simd::Array<V, W> B_k;
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) {
        V x = simd::load<V>(b + w * V::size);
        simd::pin(x);
        B_k[w] = x;
      }
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const V A_rk = a[r][k * A.step];
#pragma GCC unroll 16
        for (int w = 0; w < W; ++w) C[r][w] = fma(A_rk, B_k[w], C[r][w]);
      }
    }
    finish(row, C);
  }
}
template <int W, class T, class Finish>
void multiply(const LeftFactor<T>& A, Index rows, const T* B, Index B_step, Index n,
              const Finish& finish) {
  multiply<W, block_rows<W>>(A, rows, B, B_step, n, finish);
}

}  // namespace ATTN_ABI
}  // namespace attn
