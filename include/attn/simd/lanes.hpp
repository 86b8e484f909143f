#pragma once

#include <attn/core/config.hpp>
#include <attn/simd/diagnostics.hpp>
#include <concepts>
#include <type_traits>

namespace attn {
inline namespace ATTN_ABI {
namespace simd {

namespace packet = Eigen::internal;

/// What holds n values of type T: the widest register that the machine has, or the value itself
/// where n is 1.
template <class T, Index n>
struct Register {
  using type = typename packet::packet_traits<T>::type;
};
template <class T>
struct Register<T, 1> {
  using type = T;
};

/// The number of values in a register.
template <class T>
inline constexpr Index lanes =
    packet::unpacket_traits<typename packet::packet_traits<T>::type>::size;

template <class T, Index n>
struct Lanes;

/// What an operator on L takes: at least one L; the other operand may be anything that converts to
/// L, such as a plain number.
template <class A, class B, class L>
concept Operands = (std::same_as<A, L> && std::convertible_to<const B&, L>) ||
                   (std::same_as<B, L> && std::convertible_to<const A&, L>);

ATTN_BEGIN_UNDEFINED_REGISTERS

/// One truth value for each lane: what a comparison of `Lanes` returns.
template <class T, Index n>
struct Mask {
  typename Register<T, n>::type packet;

  explicit operator bool() const
    requires(n == 1)
  {
    return any(*this);
  }
  friend Mask operator&(const Mask& a, const Mask& b) { return {packet::pand(a.packet, b.packet)}; }
  friend Mask operator|(const Mask& a, const Mask& b) { return {packet::por(a.packet, b.packet)}; }
  friend Mask operator!(const Mask& a) {
    return {packet::pandnot(packet::ptrue(a.packet), a.packet)};
  }
  friend Mask operator&&(const Mask& a, const Mask& b) { return a & b; }
  friend Mask operator||(const Mask& a, const Mask& b) { return a | b; }

  friend bool any(const Mask& a) { return packet::predux_any(a.packet); }
  /// `yes` in the lanes where the mask is true, `no` in the others.
  friend Lanes<T, n> select(const Mask& mask, const Lanes<T, n>& yes, const Lanes<T, n>& no) {
    return Lanes<T, n>::of(packet::pselect(mask.packet, yes.packet, no.packet));
  }
};

/// Values that are computed with at once: those of a register, `Vector<T>`, or a single one,
/// `Single<T>`, by the same formulas. A plain number stands in every lane: `2 * x + 1`.
/// A `Single<T>` converts to T, so that a formula may call functions that only scalars have.
/// Operators and `fma` are therefore templates: what they take matches exactly, so that neither a
/// built-in operator nor the C library's fma competes with them.
template <class T, Index n>
struct Lanes {
  using Scalar = T;
  using Packet = typename Register<T, n>::type;
  static constexpr Index size = n;

  Packet packet;

  Lanes() = default;
  template <class A>
    requires std::is_arithmetic_v<A>
  Lanes(A x) : packet(packet::pset1<Packet>(static_cast<T>(x))) {}
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

  friend Lanes operator-(const Lanes& a) { return of(packet::pnegate(a.packet)); }

  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Lanes operator+(const A& a, const B& b) {
    return of(packet::padd(Lanes(a).packet, Lanes(b).packet));
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Lanes operator-(const A& a, const B& b) {
    return of(packet::psub(Lanes(a).packet, Lanes(b).packet));
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Lanes operator*(const A& a, const B& b) {
    return of(packet::pmul(Lanes(a).packet, Lanes(b).packet));
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Lanes operator/(const A& a, const B& b) {
    return of(packet::pdiv(Lanes(a).packet, Lanes(b).packet));
  }

  friend Lanes& operator+=(Lanes& a, const Lanes& b) { return a = a + b; }
  friend Lanes& operator-=(Lanes& a, const Lanes& b) { return a = a - b; }
  friend Lanes& operator*=(Lanes& a, const Lanes& b) { return a = a * b; }
  friend Lanes& operator/=(Lanes& a, const Lanes& b) { return a = a / b; }

  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator<(const A& a, const B& b) {
    return {packet::pcmp_lt(Lanes(a).packet, Lanes(b).packet)};
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator<=(const A& a, const B& b) {
    return {packet::pcmp_le(Lanes(a).packet, Lanes(b).packet)};
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator==(const A& a, const B& b) {
    return {packet::pcmp_eq(Lanes(a).packet, Lanes(b).packet)};
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator>(const A& a, const B& b) {
    return b < a;
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator>=(const A& a, const B& b) {
    return b <= a;
  }
  template <class A, class B>
    requires Operands<A, B, Lanes>
  friend Mask<T, n> operator!=(const A& a, const B& b) {
    return !(a == b);
  }

  /// a·b + c, rounded once where the machine can.
  template <class B, class C>
    requires Operands<Lanes, B, Lanes> && Operands<Lanes, C, Lanes>
  friend Lanes fma(const Lanes& a, const B& b, const C& c) {
    return of(packet::pmadd(a.packet, Lanes(b).packet, Lanes(c).packet));
  }
  /// The larger of the two; a where one of them is NaN.
  friend Lanes max(const Lanes& a, const Lanes& b) { return of(packet::pmax(a.packet, b.packet)); }
  /// The smaller of the two; a where one of them is NaN.
  friend Lanes min(const Lanes& a, const Lanes& b) { return of(packet::pmin(a.packet, b.packet)); }
  friend Lanes abs(const Lanes& a) { return of(packet::pabs(a.packet)); }
  friend Lanes floor(const Lanes& a) { return of(packet::pfloor(a.packet)); }

  /// The sum of all lanes.
  friend T sum(const Lanes& a) { return packet::predux(a.packet); }
  /// The largest of all lanes.
  friend T largest(const Lanes& a) { return packet::predux_max(a.packet); }
};

ATTN_END_UNDEFINED_REGISTERS

template <class T>
using Vector = Lanes<T, lanes<T>>;
template <class T>
using Single = Lanes<T, 1>;

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
