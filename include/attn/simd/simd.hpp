#pragma once

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>
#include <attn/simd/load_store.hpp>
#include <attn/simd/pin.hpp>
#include <attn/simd/power_of_two.hpp>
#include <attn/simd/transpose.hpp>
#include <attn/simd/transpose_avx512.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The machine's vector registers, through Eigen's packet operations: SSE, AVX, AVX-512 or NEON,
/// whichever the program is compiled for. All kernels are written on this header, and a rule's
/// formula may be. Loads and stores take any address; the result never depends on it.
namespace simd {}

}  // namespace ATTN_ABI
}  // namespace attn
