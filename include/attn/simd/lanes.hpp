#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_LANES_HPP
#define ATTN_SIMD_LANES_HPP

#include <attn/simd/machine_operations.hpp>
#include <concepts>
#include <limits>
#include <type_traits>

#define ATTN_KERNELS <attn/simd/lanes.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// The number of values in a register.
template <class T>
inline constexpr Index lanes = register_bytes / static_cast<Index>(sizeof(T));

template <class T, Index n>
struct Lanes;

/// The kind of Lanes that an operator computes with: at least one operand is of it, and the other
/// may be anything that converts to it, such as a plain number.
template <class A, class B>
struct OperatorLanes {};
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
struct OperatorLanes<Lanes<T, n>, B> {
  using type = Lanes<T, n>;
};
template <class T, Index n, std::convertible_to<Lanes<T, n> > A>
struct OperatorLanes<A, Lanes<T, n> > {
  using type = Lanes<T, n>;
};
template <class T, Index n>
struct OperatorLanes<Lanes<T, n>, Lanes<T, n> > {
  using type = Lanes<T, n>;
};
template <class A, class B>
using LanesOf = typename OperatorLanes<A, B>::type;

/// One truth value for each lane: what a comparison of `Lanes` returns. All bits of a lane are
/// equal.
template <class T, Index n>
struct Mask {
  using Packet = Register<LaneInteger<T>, n>;
  Packet packet;

  Mask() = default;
  Mask(const Mask& other) : packet(other.packet) {}
  Mask& operator=(const Mask& other) {
    packet = other.packet;
    return *this;
  }
  /// Of what the compiler's comparison returns: a vector, or a bool where n is 1.
  template <class Comparison>
  static Mask of(const Comparison& comparison) {
    Mask mask;
    if constexpr (n == 1) mask.packet = comparison ? -1 : 0;
    else mask.packet = comparison;
    return mask;
  }
  explicit operator bool() const
    requires(n == 1)
  {
    return packet != 0;
  }
};

/// Values that are computed with at once: those of a register, `Vector<T>`, or a single one,
/// `Single<T>`, by the same formulas. A plain number stands in every lane: `2 * x + 1`.
/// A `Single<T>` converts to T, so that a formula may call functions that only scalars have.
/// Operators and `fma` are therefore templates: what they take matches exactly, so that neither a
/// built-in operator nor the C library's fma competes with them.
/// Copies are written out, which makes the type one that functions pass in memory: a function that
/// is compiled for one instruction set can then call one that is compiled for another.
template <class T, Index n>
struct Lanes {
  using Scalar = T;
  using Packet = Register<T, n>;
  static constexpr Index size = n;

  Packet packet;

  Lanes() = default;
  Lanes(const Lanes& other) : packet(other.packet) {}
  Lanes& operator=(const Lanes& other) {
    packet = other.packet;
    return *this;
  }
  template <class A>
    requires std::is_arithmetic_v<A>
  Lanes(A x) : packet(broadcast<T, n>(static_cast<T>(x))) {}
  static Lanes of(const Packet& packet) {
    Lanes x;
    x.packet = packet;
    return x;
  }
  static Lanes load(const T* from) { return of(load_packet<Packet>(from)); }
  void store(T* to) const { store_packet(to, packet); }
  operator T() const
    requires(n == 1)
  {
    return packet;
  }
  T first() const {
    if constexpr (n == 1) return packet;
    else return packet[0];
  }
};

template <class A, class B, class L = LanesOf<A, B> >
L operator+(const A& a, const B& b) {
  return L::of(L(a).packet + L(b).packet);
}
template <class A, class B, class L = LanesOf<A, B> >
L operator-(const A& a, const B& b) {
  return L::of(L(a).packet - L(b).packet);
}
template <class A, class B, class L = LanesOf<A, B> >
L operator*(const A& a, const B& b) {
  return L::of(L(a).packet * L(b).packet);
}
template <class A, class B, class L = LanesOf<A, B> >
L operator/(const A& a, const B& b) {
  return L::of(L(a).packet / L(b).packet);
}
template <class T, Index n>
Lanes<T, n> operator-(const Lanes<T, n>& a) {
  return Lanes<T, n>::of(-a.packet);
}

template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n>& operator+=(Lanes<T, n>& a, const B& b) {
  return a = a + b;
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n>& operator-=(Lanes<T, n>& a, const B& b) {
  return a = a - b;
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n>& operator*=(Lanes<T, n>& a, const B& b) {
  return a = a * b;
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n>& operator/=(Lanes<T, n>& a, const B& b) {
  return a = a / b;
}

template <class L>
using MaskOf = Mask<typename L::Scalar, L::size>;

template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator<(const A& a, const B& b) {
  return MaskOf<L>::of(less(L(a).packet, L(b).packet));
}
template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator<=(const A& a, const B& b) {
  return MaskOf<L>::of(less_equal(L(a).packet, L(b).packet));
}
template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator==(const A& a, const B& b) {
  return MaskOf<L>::of(equal(L(a).packet, L(b).packet));
}
template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator>(const A& a, const B& b) {
  return b < a;
}
template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator>=(const A& a, const B& b) {
  return b <= a;
}
template <class A, class B, class L = LanesOf<A, B> >
MaskOf<L> operator!=(const A& a, const B& b) {
  return !(a == b);
}

template <class T, Index n>
Mask<T, n> operator&(const Mask<T, n>& a, const Mask<T, n>& b) {
  return Mask<T, n>::of(a.packet & b.packet);
}
template <class T, Index n>
Mask<T, n> operator|(const Mask<T, n>& a, const Mask<T, n>& b) {
  return Mask<T, n>::of(a.packet | b.packet);
}
template <class T, Index n>
Mask<T, n> operator!(const Mask<T, n>& a) {
  return Mask<T, n>::of(~a.packet);
}
template <class T, Index n>
Mask<T, n> operator&&(const Mask<T, n>& a, const Mask<T, n>& b) {
  return a & b;
}
template <class T, Index n>
Mask<T, n> operator||(const Mask<T, n>& a, const Mask<T, n>& b) {
  return a | b;
}

/// `yes` in the lanes where the mask is true, `no` in the others.
template <class T, Index n>
Lanes<T, n> select(const Mask<T, n>& mask, const std::type_identity_t<Lanes<T, n> >& yes,
                   const std::type_identity_t<Lanes<T, n> >& no) {
  return Lanes<T, n>::of(blend(mask.packet, yes.packet, no.packet));
}

/// a·b + c, rounded once where the machine can.
template <class T, Index n, std::convertible_to<Lanes<T, n> > B,
          std::convertible_to<Lanes<T, n> > C>
Lanes<T, n> fma(const Lanes<T, n>& a, const B& b, const C& c) {
  using L = Lanes<T, n>;
  return L::of(fused_multiply_add(a.packet, L(b).packet, L(c).packet));
}
/// The larger of the two; a where one of them is NaN. The first overload is more specialized than
/// std::max, beside which a rule's formula may call it.
template <class T, Index n>
Lanes<T, n> max(const Lanes<T, n>& a, const Lanes<T, n>& b) {
  return Lanes<T, n>::of(maximum(a.packet, b.packet));
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n> max(const Lanes<T, n>& a, const B& b) {
  return max(a, Lanes<T, n>(b));
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > A>
Lanes<T, n> max(const A& a, const Lanes<T, n>& b) {
  return max(Lanes<T, n>(a), b);
}
/// The smaller of the two; a where one of them is NaN.
template <class T, Index n>
Lanes<T, n> min(const Lanes<T, n>& a, const Lanes<T, n>& b) {
  return Lanes<T, n>::of(minimum(a.packet, b.packet));
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > B>
Lanes<T, n> min(const Lanes<T, n>& a, const B& b) {
  return min(a, Lanes<T, n>(b));
}
template <class T, Index n, std::convertible_to<Lanes<T, n> > A>
Lanes<T, n> min(const A& a, const Lanes<T, n>& b) {
  return min(Lanes<T, n>(a), b);
}
template <class T, Index n>
Lanes<T, n> abs(const Lanes<T, n>& a) {
  constexpr LaneInteger<T> all_but_sign = std::numeric_limits<LaneInteger<T> >::max();
  using Bits = typename Mask<T, n>::Packet;
  return Lanes<T, n>::of(reinterpret<Register<T, n> >(reinterpret<Bits>(a.packet) & all_but_sign));
}
template <class T, Index n>
Lanes<T, n> floor(const Lanes<T, n>& a) {
  return Lanes<T, n>::of(floor_of(a.packet));
}
/// √x, rounded once.
template <class T, Index n>
Lanes<T, n> sqrt(const Lanes<T, n>& a) {
  return Lanes<T, n>::of(square_root(a.packet));
}

template <class T>
using Vector = Lanes<T, lanes<T> >;
template <class T>
using Single = Lanes<T, 1>;

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
