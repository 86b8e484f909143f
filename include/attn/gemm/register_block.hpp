#pragma once

#include <algorithm>
#include <attn/gemm/left_factor.hpp>
#include <attn/simd/simd.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Rows of a block that is W vectors wide: as many as 16 registers can hold.
template <int W>
inline constexpr int block_rows = W == 1 ? 8 : 4;

/// R rows of W vectors, in registers.
template <class T, int W, int R = block_rows<W>>
struct RegisterBlock {
  using Vector = simd::Vector<T>;
  simd::Array<simd::Array<Vector, W>, R> rows;

  /// Calls f(r, w, vector) for each vector of the first `count` rows, unrolled.
  template <class F>
  EIGEN_ALWAYS_INLINE void for_each(F&& f, Index count = R) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      if (r >= count) return;
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) f(r, w, rows[r][w]);
    }
  }
};

/// The right factor B of a product with the register block: `count` rows, `stride` apart.
template <class T>
struct PanelRows {
  const T* data;
  Index stride, count;
};

/// Makes the compiler take a pointer for a new value in a register. Without it g++ addresses all
/// rows of a block from one base, with three more instructions in the inner loop.
template <class Cursor>
EIGEN_ALWAYS_INLINE void pin_pointer([[maybe_unused]] Cursor& cursor) {
  if constexpr (std::is_pointer_v<Cursor>) asm("" : "+r"(cursor));
}

/// W vectors of a product, for each of its rows. Every matrix product of the kernels is this one.
///
///   C_rw = Σ_k A_rk B_kw,   k = 0 … B.count − 1, one after the other, from zero
///
/// R rows at a time are computed in registers; then finish(r, C) takes the block that begins with
/// row r. Where the last block has fewer rows, its last row stands for those that are missing. Each
/// element of A is broadcast to a vector. What a lane holds depends on its column of B and its row
/// of A alone, not on R, W or its place.
/// Cost: R·W multiply-adds for R + W loads. The function is not inlined, because its loop needs
/// every register.
template <int W, int R, class T, LeftFactorOf<T> Factor, class Finish>
[[gnu::noinline]] void multiply(const Factor A, Index rows, const PanelRows<T> B,
                                const Finish finish) {
  using Vector = simd::Vector<T>;
  for (Index row = 0; row < rows; row += R) {
    RegisterBlock<T, W, R> C;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) C.rows[r][w] = T(0);
    const T* b = B.data;
    for (Index k = 0; k < B.count;) {
      const Index run = A.run(k, B.count - k);
      simd::Array<decltype(A.at(0, 0)), R> a;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        a[r] = A.at(std::min(row + r, rows - 1), k);
        pin_pointer(a[r]);
      }
      for (Index i = 0; i < run; ++i, b += B.stride) {
        simd::Array<Vector, W> B_k;
#pragma GCC unroll 16
        for (int w = 0; w < W; ++w) {
          Vector x = simd::load<Vector>(b + w * Vector::size);
          simd::pin(x);
          B_k[w] = x;
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const Vector A_rk = A.load(a[r], i);
#pragma GCC unroll 16
          for (int w = 0; w < W; ++w) C.rows[r][w] = fma(A_rk, B_k[w], C.rows[r][w]);
        }
      }
      k += run;
    }
    finish(row, C);
  }
}
template <int W, class T, LeftFactorOf<T> Factor, class Finish>
void multiply(const Factor& A, Index rows, const PanelRows<T>& B, const Finish& finish) {
  multiply<W, block_rows<W>>(A, rows, B, finish);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
