#pragma once

#if __cplusplus < 202002L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#error "attn: needs C++20: compile with -std=c++20"
#endif

#include <Eigen/Core>
#include <cassert>

// A masked score is −∞ and its weight exactly 0, and values are rounded by adding and subtracting a
// large constant: -ffast-math breaks both. Compile the files that include attn without -ffast-math,
// -Ofast, -ffinite-math-only, -funsafe-math-optimizations and -fassociative-math.
#if (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__FAST_MATH__) || \
    defined(__ASSOCIATIVE_MATH__)
#error "attn: -ffast-math lets the compiler drop the infinities of masks; see attn/core/config.hpp"
#endif

// The registers of the x87 hold more digits than the type, so that values would be rounded twice.
#if defined(__i386__) && !defined(__SSE2_MATH__)
#error "attn: 32-bit x86 needs -msse2 -mfpmath=sse; see attn/core/config.hpp"
#endif

/// Checks of the library's own invariants and of element indices. Define it before the first
/// include to replace it; like `assert`, it has no effect under NDEBUG. Shapes, options and files
/// are always checked, by exceptions.
#ifdef ATTN_ASSERT
#define ATTN_ABI_ASSERT custom
#else
#define ATTN_ASSERT(condition) assert(condition)
#ifdef NDEBUG
#define ATTN_ABI_ASSERT unchecked
#else
#define ATTN_ABI_ASSERT checked
#endif
#endif

// The widest registers, in bits, that kernels are compiled for beside those of the file itself;
// which are used is chosen at run time (see simd/targets.hpp). 512 in a plain build for x86-64:
// kernels for AVX2 and AVX-512. Define it as 256, or as 0 for the file's own instruction set alone,
// before the first include or on the command line, to compile less.
//
// GCC misaligns registers of 32 bytes on the stack of 64-bit Windows (GCC bug 54412), so that a
// build for Windows does not choose.
#ifndef ATTN_DISPATCHES
#if defined(__x86_64__) && !defined(__AVX__) && !defined(_WIN32)
#define ATTN_DISPATCHES 512
#else
#define ATTN_DISPATCHES 0
#endif
#elif ATTN_DISPATCHES != 512 && ATTN_DISPATCHES != 256 && ATTN_DISPATCHES != 0
#error "attn: ATTN_DISPATCHES must be 512, 256 or 0"
#endif

// Two translation units of one program may be compiled for different instruction sets, choose them
// at run time or not, or have assertions on or off. The same inline function then has two bodies,
// and a linker keeps either. An inline namespace that is named after these facts keeps them apart:
// attn::Tensor is attn::avx2_fma_checked::Tensor in one, attn::sse2_unchecked::Tensor in another.

// 1. The instruction set: what Eigen's packets are made of, the widest first.
#if defined(EIGEN_VECTORIZE_AVX512) && defined(EIGEN_VECTORIZE_AVX512DQ)
#define ATTN_ABI_PACKETS avx512dq
#elif defined(EIGEN_VECTORIZE_AVX512)
#define ATTN_ABI_PACKETS avx512

#elif defined(EIGEN_VECTORIZE_AVX2) && defined(EIGEN_VECTORIZE_FMA)
#define ATTN_ABI_PACKETS avx2_fma
#elif defined(EIGEN_VECTORIZE_AVX2)
#define ATTN_ABI_PACKETS avx2
#elif defined(EIGEN_VECTORIZE_AVX) && defined(EIGEN_VECTORIZE_FMA)
#define ATTN_ABI_PACKETS avx_fma
#elif defined(EIGEN_VECTORIZE_AVX)
#define ATTN_ABI_PACKETS avx

#elif defined(EIGEN_VECTORIZE_SSE4_2)
#define ATTN_ABI_PACKETS sse4_2
#elif defined(EIGEN_VECTORIZE_SSE4_1)
#define ATTN_ABI_PACKETS sse4_1
#elif defined(EIGEN_VECTORIZE_SSE3)
#define ATTN_ABI_PACKETS sse3
#elif defined(EIGEN_VECTORIZE_SSE)
#define ATTN_ABI_PACKETS sse2

#elif defined(EIGEN_VECTORIZE_NEON)
#define ATTN_ABI_PACKETS neon
#elif defined(EIGEN_VECTORIZE)
#define ATTN_ABI_PACKETS vector
#else
#define ATTN_ABI_PACKETS scalar
#endif

// 2. The name: <instruction set>_to_<widest registers>_<assertions>, sse2_to_512_unchecked for
// example. Two macros, so that the arguments are expanded.
#define ATTN_ABI_JOIN_(packets, widest, assertions) packets##_to_##widest##_##assertions
#define ATTN_ABI_JOIN(packets, widest, assertions) ATTN_ABI_JOIN_(packets, widest, assertions)
#define ATTN_ABI ATTN_ABI_JOIN(ATTN_ABI_PACKETS, ATTN_DISPATCHES, ATTN_ABI_ASSERT)

namespace attn {
inline namespace ATTN_ABI {

/// The type of all sizes and offsets: signed, with as many bits as a pointer.
using Index = Eigen::Index;

}  // namespace ATTN_ABI
}  // namespace attn
