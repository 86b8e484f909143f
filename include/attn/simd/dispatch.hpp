#pragma once

#include <attn/simd/instruction_set.hpp>

// ATTN_DISPATCH(f(x…)) calls the kernel f of the instruction set in use, and ATTN_DISPATCH_TO that
// of another: functions of namespace detail::ATTN_TARGET.
#if ATTN_DISPATCHES >= 512
#define ATTN_DISPATCH_TO(set, ...)                                               \
  ((set) == ::attn::InstructionSet::avx512 ? ::attn::detail::avx512::__VA_ARGS__ \
   : (set) == ::attn::InstructionSet::avx2 ? ::attn::detail::avx2::__VA_ARGS__   \
                                           : ::attn::detail::native::__VA_ARGS__)
#elif ATTN_DISPATCHES >= 256
#define ATTN_DISPATCH_TO(set, ...)                                           \
  ((set) == ::attn::InstructionSet::avx2 ? ::attn::detail::avx2::__VA_ARGS__ \
                                         : ::attn::detail::native::__VA_ARGS__)
#else
#define ATTN_DISPATCH_TO(set, ...) (::attn::detail::native::__VA_ARGS__)
#endif
#define ATTN_DISPATCH(...) ATTN_DISPATCH_TO(::attn::instruction_set(), __VA_ARGS__)
