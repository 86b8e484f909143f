#pragma once

#include <attn/core/config.hpp>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Kernels are compiled for one or several instruction sets. A file that is compiled for AVX2, with
// -march=native or -mavx2 -mfma, has kernels for that alone. A plain build for x86-64 also has
// kernels for AVX2 and AVX-512, and the processor decides at run time which are used. In each set
// of kernels everything lives in a namespace of its own, attn::detail::avx2 for example, so that no
// function that is compiled for a higher instruction set can be taken for one of a lower.

// The registers of the namespace `native`: what the file is compiled for.
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define ATTN_NATIVE_REGISTER_BYTES 64
#elif defined(__AVX__) && !defined(_WIN32)
#define ATTN_NATIVE_REGISTER_BYTES 32
#else
#define ATTN_NATIVE_REGISTER_BYTES 16
#endif
#if defined(__FMA__) || defined(__aarch64__)
#define ATTN_NATIVE_FMA 1
#else
#define ATTN_NATIVE_FMA 0
#endif
#ifdef __AVX2__
#define ATTN_NATIVE_AVX2 1
#else
#define ATTN_NATIVE_AVX2 0
#endif
#if defined(__F16C__) || defined(__AVX512F__)
#define ATTN_NATIVE_F16C 1
#else
#define ATTN_NATIVE_F16C 0
#endif

// A function that calls what a user wrote, such as the formula of a rule: everything that it calls
// is compiled into it, for its instruction set.
#define ATTN_FLATTEN [[gnu::flatten]]
