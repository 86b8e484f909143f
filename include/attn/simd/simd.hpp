#pragma once

#include <attn/core/config.hpp>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace attn {
inline namespace ATTN_ABI {

/// The machine's vector registers, through Eigen's packet operations: SSE, AVX, AVX-512 or NEON,
/// whichever the program is compiled for. All kernels are written on this header, and a rule's
/// formula may be. Loads and stores take any address; what is computed never depends on it.
namespace simd {

namespace packet = Eigen::internal;

/// n things in a row, by a signed index, which g++ does not take for the length of a plain array
/// without a warning.
template <class T, Index n>
struct Array {
  T data[static_cast<std::size_t>(n)];
  EIGEN_ALWAYS_INLINE T& operator[](Index i) { return data[i]; }
  EIGEN_ALWAYS_INLINE const T& operator[](Index i) const { return data[i]; }
};

/// What holds n numbers T: a register, the widest that the machine has, or the number itself where
/// n is 1.
template <class T, Index n>
struct Register {
  using type = typename packet::packet_traits<T>::type;
};
template <class T>
struct Register<T, 1> {
  using type = T;
};

/// Numbers in a register.
template <class T>
inline constexpr Index lanes =
    packet::unpacket_traits<typename packet::packet_traits<T>::type>::size;

/// Numbers that are computed with at once: those of a register, `Vector<T>`, or a single one,
/// `Single<T>`, by the same formulas. A plain number stands for itself in every lane: `2 * x + 1`.
template <class T, Index n>
struct Lanes {
  using Number = T;
  using Packet = typename Register<T, n>::type;
  static constexpr Index size = n;

  Packet packet;

  Lanes() = default;
  Lanes(T x) : packet(packet::pset1<Packet>(x)) {}
  template <class A>
    requires std::is_arithmetic_v<A>
  Lanes(A x) : Lanes(static_cast<T>(x)) {}
  static Lanes of(const Packet& packet) {
    Lanes x;
    x.packet = packet;
    return x;
  }
  operator T() const
    requires(n == 1)
  {
    return packet;
  }
  T first() const { return packet::pfirst(packet); }
};
template <class T>
using Vector = Lanes<T, lanes<T>>;
template <class T>
using Single = Lanes<T, 1>;

/// The answer to a question about each lane.
template <class T, Index n>
struct Mask {
  typename Register<T, n>::type packet;

  explicit operator bool() const
    requires(n == 1)
  {
    return packet::predux_any(packet);
  }
  friend Mask operator&(const Mask& a, const Mask& b) { return {packet::pand(a.packet, b.packet)}; }
  friend Mask operator|(const Mask& a, const Mask& b) { return {packet::por(a.packet, b.packet)}; }
  friend Mask operator!(const Mask& a) {
    return {packet::pandnot(packet::ptrue(a.packet), a.packet)};
  }
  friend Mask operator&&(const Mask& a, const Mask& b) { return a & b; }
  friend Mask operator||(const Mask& a, const Mask& b) { return a | b; }
};

/// What an operator works in, where at least one side is lanes and the other may be a plain number.
template <class A, class B>
struct Joined;
template <class T, Index n>
struct Joined<Lanes<T, n>, Lanes<T, n>> {
  using Type = Lanes<T, n>;
  using Answer = Mask<T, n>;
};
template <class T, Index n, class B>
  requires std::is_arithmetic_v<B>
struct Joined<Lanes<T, n>, B> : Joined<Lanes<T, n>, Lanes<T, n>> {};
template <class A, class T, Index n>
  requires std::is_arithmetic_v<A>
struct Joined<A, Lanes<T, n>> : Joined<Lanes<T, n>, Lanes<T, n>> {};
template <class A, class B>
using Join = typename Joined<A, B>::Type;
template <class A, class B>
using JoinedMask = typename Joined<A, B>::Answer;

// clang-format off
template <class T, Index n> Lanes<T, n> operator-(const Lanes<T, n>& a) { return Lanes<T, n>::of(packet::pnegate(a.packet)); }
template <class A, class B> Join<A, B> operator+(const A& a, const B& b) { using V = Join<A, B>; return V::of(packet::padd(V(a).packet, V(b).packet)); }
template <class A, class B> Join<A, B> operator-(const A& a, const B& b) { using V = Join<A, B>; return V::of(packet::psub(V(a).packet, V(b).packet)); }
template <class A, class B> Join<A, B> operator*(const A& a, const B& b) { using V = Join<A, B>; return V::of(packet::pmul(V(a).packet, V(b).packet)); }
template <class A, class B> Join<A, B> operator/(const A& a, const B& b) { using V = Join<A, B>; return V::of(packet::pdiv(V(a).packet, V(b).packet)); }
template <class T, Index n, class B> Lanes<T, n>& operator+=(Lanes<T, n>& a, const B& b) { return a = a + b; }
template <class T, Index n, class B> Lanes<T, n>& operator-=(Lanes<T, n>& a, const B& b) { return a = a - b; }
template <class T, Index n, class B> Lanes<T, n>& operator*=(Lanes<T, n>& a, const B& b) { return a = a * b; }
template <class T, Index n, class B> Lanes<T, n>& operator/=(Lanes<T, n>& a, const B& b) { return a = a / b; }
template <class A, class B> JoinedMask<A, B> operator<(const A& a, const B& b) { using V = Join<A, B>; return {packet::pcmp_lt(V(a).packet, V(b).packet)}; }
template <class A, class B> JoinedMask<A, B> operator<=(const A& a, const B& b) { using V = Join<A, B>; return {packet::pcmp_le(V(a).packet, V(b).packet)}; }
template <class A, class B> JoinedMask<A, B> operator==(const A& a, const B& b) { using V = Join<A, B>; return {packet::pcmp_eq(V(a).packet, V(b).packet)}; }
template <class A, class B> JoinedMask<A, B> operator>(const A& a, const B& b) { return b < a; }
template <class A, class B> JoinedMask<A, B> operator>=(const A& a, const B& b) { return b <= a; }
template <class A, class B> JoinedMask<A, B> operator!=(const A& a, const B& b) { return !(a == b); }

template <class T, Index n> using Other = std::type_identity_t<Lanes<T, n>>;  // an argument that may be a plain number

template <class T, Index n> Lanes<T, n> select(const Mask<T, n>& mask, const Other<T, n>& yes, const Other<T, n>& no) { return Lanes<T, n>::of(packet::pselect(mask.packet, yes.packet, no.packet)); }
/// a·b + c, rounded once where the machine can.
template <class T, Index n> Lanes<T, n> fma(const Lanes<T, n>& a, const Other<T, n>& b, const Other<T, n>& c) { return Lanes<T, n>::of(packet::pmadd(a.packet, b.packet, c.packet)); }
/// The larger or smaller; a where one of them is NaN.
template <class T, Index n> Lanes<T, n> max(const Lanes<T, n>& a, const Lanes<T, n>& b) { return Lanes<T, n>::of(packet::pmax(a.packet, b.packet)); }
template <class T, Index n, class B> requires std::is_arithmetic_v<B> Lanes<T, n> max(const Lanes<T, n>& a, B b) { return max(a, Lanes<T, n>(b)); }
template <class T, Index n> Lanes<T, n> min(const Lanes<T, n>& a, const Lanes<T, n>& b) { return Lanes<T, n>::of(packet::pmin(a.packet, b.packet)); }
template <class T, Index n, class B> requires std::is_arithmetic_v<B> Lanes<T, n> min(const Lanes<T, n>& a, B b) { return min(a, Lanes<T, n>(b)); }
template <class T, Index n> Lanes<T, n> abs(const Lanes<T, n>& a) { return Lanes<T, n>::of(packet::pabs(a.packet)); }
template <class T, Index n> Lanes<T, n> floor(const Lanes<T, n>& a) { return Lanes<T, n>::of(packet::pfloor(a.packet)); }
template <class T, Index n> bool any(const Mask<T, n>& a) { return packet::predux_any(a.packet); }
template <class T, Index n> T sum(const Lanes<T, n>& a) { return packet::predux(a.packet); }
template <class T, Index n> T largest(const Lanes<T, n>& a) { return packet::predux_max(a.packet); }
// clang-format on

template <class V, class T = typename V::Number>
V load(const T* from) {
  return V::of(packet::ploadu<typename V::Packet>(from));
}
template <class T, Index n>
void store(T* to, const Lanes<T, n>& x) {
  packet::pstoreu(to, x.packet);
}
/// The first `count` numbers; the lanes after them hold `fill`.
template <class V, class T = typename V::Number>
V load(const T* from, Index count, std::type_identity_t<T> fill) {
  if (count == V::size) return load<V>(from);
  Array<T, V::size> lane;
  for (Index i = 0; i < V::size; ++i) lane[i] = i < count ? from[i] : fill;
  return load<V>(lane.data);
}
/// The first `count` lanes.
template <class T, Index n>
void store(T* to, Index count, const Lanes<T, n>& x) {
  if (count == n) return store(to, x);
  Array<T, n> lane;
  store(lane.data, x);
  for (Index i = 0; i < count; ++i) to[i] = lane[i];
}
// g++ remarks that a register's alignment is no part of a template argument's name.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"
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
#pragma GCC diagnostic pop

/// 2ⁱ for whole i in (−bias, bias], given as i + `power_of_two_shift`: i stands in the last bits,
/// and moves to the exponent. 0 for −bias.
template <class T>
inline constexpr T power_of_two_shift =
    sizeof(T) == 4 ? T(12582912 + 127)
                   : T(6755399441055744 + 1023);  // 1.5 · 2^23 or 2^52, and the bias
template <class T, Index n>
Lanes<T, n> power_of_two(const Lanes<T, n>& shifted) {
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Integer Integers __attribute__((vector_size(sizeof(T) * n)));
  return Lanes<T, n>::of(std::bit_cast<typename Lanes<T, n>::Packet>(
      std::bit_cast<Integers>(shifted.packet) << (sizeof(T) == 4 ? 23 : 52)));
}

/// Makes the compiler take x for a new value in a register: not to be read again from memory where
/// g++ would, and loads are what is scarce; nor to be simplified together with what it was computed
/// from.
template <class T, Index n>
void pin(Lanes<T, n>& x) {
#if defined(__x86_64__) || defined(__i386__)
  asm("" : "+v"(x.packet));
#elif defined(__aarch64__)
  asm("" : "+w"(x.packet));
#endif
}

/// Calls f(i, n) for each run of n = lanes elements from 0 to `count`, and once with a smaller n
/// for what remains.
template <class T, class F>
void for_each_packet(Index count, F&& f) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) f(i, lanes<T>);
  if (i < count) f(i, count - i);
}

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
