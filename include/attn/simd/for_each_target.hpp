// Includes the file ATTN_KERNELS once for each instruction set. There it defines
//   ATTN_TARGET            the namespace of the instruction set
//   ATTN_REGISTER_BYTES    the size of a register
//   ATTN_FMA               1 where the machine has a fused multiply-add
//   ATTN_AVX2              1 where there is AVX2 or more
//   ATTN_F16C              1 where float16 is converted, as by every processor with AVX2
// This file has no include guard. A file of kernels has two parts: the first, which is read without
// ATTN_TARGET, includes what the kernels need and then this file, and the second are the kernels,
//
//   #ifndef ATTN_TARGET
//   #ifndef ATTN_MATH_EXAMPLE_HPP
//   #define ATTN_MATH_EXAMPLE_HPP
//   #include <attn/simd/simd.hpp>
//   #define ATTN_KERNELS <attn/math/example.hpp>
//   #include <attn/simd/for_each_target.hpp>
//   … functions that call kernels, by ATTN_DISPATCH
//   #endif
//   #else
//   namespace attn {
//   inline namespace ATTN_ABI {
//   namespace detail::ATTN_TARGET {
//   … kernels
//   }
//   }
//   }
//   #endif

#include <attn/simd/targets.hpp>

#if ATTN_DISPATCHES >= 512
#define ATTN_TARGET avx512
#define ATTN_REGISTER_BYTES 64
#define ATTN_FMA 1
#define ATTN_AVX2 1
#define ATTN_F16C 1
#ifdef __clang__
#pragma clang attribute push(                                                        \
        __attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl"))), \
            apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl")
#endif
#include ATTN_KERNELS
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ATTN_TARGET
#undef ATTN_REGISTER_BYTES
#undef ATTN_FMA
#undef ATTN_AVX2
#undef ATTN_F16C
#endif

#if ATTN_DISPATCHES >= 256
#define ATTN_TARGET avx2
#define ATTN_REGISTER_BYTES 32
#define ATTN_FMA 1
#define ATTN_AVX2 1
#define ATTN_F16C 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#include ATTN_KERNELS
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ATTN_TARGET
#undef ATTN_REGISTER_BYTES
#undef ATTN_FMA
#undef ATTN_AVX2
#undef ATTN_F16C
#endif

#define ATTN_TARGET native
#define ATTN_REGISTER_BYTES ATTN_NATIVE_REGISTER_BYTES
#define ATTN_FMA ATTN_NATIVE_FMA
#define ATTN_AVX2 ATTN_NATIVE_AVX2
#define ATTN_F16C ATTN_NATIVE_F16C
#include ATTN_KERNELS
#undef ATTN_TARGET
#undef ATTN_REGISTER_BYTES
#undef ATTN_FMA
#undef ATTN_AVX2
#undef ATTN_F16C
#undef ATTN_KERNELS
