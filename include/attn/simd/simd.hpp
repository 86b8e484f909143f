#pragma once

#include <attn/simd/array.hpp>
#include <attn/simd/dispatch.hpp>
#include <attn/simd/lanes.hpp>
#include <attn/simd/load_store.hpp>
#include <attn/simd/pin.hpp>
#include <attn/simd/power_of_two.hpp>
#include <attn/simd/reduce.hpp>
#include <attn/simd/transpose.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The machine's vector registers, as vector types of the compiler: SSE, AVX, AVX-512 or NEON. All
/// kernels are written on this header, once for each instruction set (see for_each_target.hpp), and
/// a rule's formula may be. Loads and stores take any address; the result never depends on it. In
/// this namespace they are those that the file is compiled for.
namespace simd {
using namespace detail::native::simd;
}

}  // namespace ATTN_ABI
}  // namespace attn
