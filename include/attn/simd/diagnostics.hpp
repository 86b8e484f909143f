#pragma once

// AVX-512 intrinsics of g++ 12, such as _mm512_max_ps, pass a register that is undefined on purpose
// (_mm512_undefined_ps), and g++ warns about it wherever they are inlined. The warning stands in a
// header of the compiler, so that only a pragma around the caller silences it. Between these two
// macros stand thin wrappers around packet operations, and nothing else.
#if defined(__GNUC__) && !defined(__clang__)
#define ATTN_BEGIN_UNDEFINED_REGISTERS                                                 \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wuninitialized\"") \
      _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#else
#define ATTN_BEGIN_UNDEFINED_REGISTERS _Pragma("GCC diagnostic push")
#endif
#define ATTN_END_UNDEFINED_REGISTERS _Pragma("GCC diagnostic pop")
