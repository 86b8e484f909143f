#pragma once

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace simd {

ATTN_BEGIN_UNDEFINED_REGISTERS
#pragma GCC diagnostic ignored "-Wignored-attributes"  // PacketBlock<__m256, 8> names a register

/// Row i, lane j becomes row j, lane i.
template <class T, Index n>
EIGEN_ALWAYS_INLINE void transpose(Array<Lanes<T, n>, n>& rows) {
  packet::PacketBlock<typename Lanes<T, n>::Packet, n> block;
#pragma GCC unroll 16
  for (Index i = 0; i < n; ++i) block.packet[i] = rows[i].packet;
  packet::ptranspose(block);
#pragma GCC unroll 16
  for (Index i = 0; i < n; ++i) rows[i].packet = block.packet[i];
}

ATTN_END_UNDEFINED_REGISTERS

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
