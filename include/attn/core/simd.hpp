#pragma once

#include <attn/core/config.hpp>

namespace attn::inline ATTN_ABI {

/// The machine's vector registers, through Eigen's packet operations: SSE, AVX, AVX-512 or NEON, whichever the program is
/// compiled for, and plain numbers (one lane) where there is none. All kernels are written on this header.
/// Loads and stores take any address; what is computed never depends on it.
namespace simd {

namespace packet = Eigen::internal;

template <class T>
using Packet = typename packet::packet_traits<T>::type;

/// Numbers in a register.
template <class T>
inline constexpr Index lanes = packet::unpacket_traits<Packet<T>>::size;

template <class P>
using Lane = typename packet::unpacket_traits<P>::type;

template <class T>
Packet<T> load(const T* from) {
  return packet::ploadu<Packet<T>>(from);
}
template <class T>
void store(T* to, const Packet<T>& x) {
  packet::pstoreu(to, x);
}
/// The same number in every lane.
template <class T>
Packet<T> all(T x) {
  return packet::pset1<Packet<T>>(x);
}
/// n < lanes numbers; the lanes after them hold `fill`.
template <class T>
Packet<T> load_part(const T* from, Index n, T fill) {
  T lane[lanes<T>];
  for (Index i = 0; i < lanes<T>; ++i) lane[i] = i < n ? from[i] : fill;
  return load(lane);
}
template <class T>
void store_part(T* to, Index n, const Packet<T>& x) {
  T lane[lanes<T>];
  store(lane, x);
  for (Index i = 0; i < n; ++i) to[i] = lane[i];
}

/// Calls f(i, n) for each run of n = lanes elements from 0 to `count`, and once with a smaller n for what remains.
template <class T, class F>
void for_each_packet(Index count, F&& f) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) f(i, lanes<T>);
  if (i < count) f(i, count - i);
}
template <class T>
Packet<T> load(const T* from, Index n, T fill) {
  return n == lanes<T> ? load(from) : load_part(from, n, fill);
}
template <class T>
void store(T* to, Index n, const Packet<T>& x) {
  if (n == lanes<T>) store(to, x);
  else store_part(to, n, x);
}

}  // namespace simd
}  // namespace attn::inline ATTN_ABI
