#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_MACHINE_OPERATIONS_HPP
#define ATTN_SIMD_MACHINE_OPERATIONS_HPP

#include <attn/simd/array.hpp>
#include <attn/simd/diagnostics.hpp>
#include <cmath>
#include <cstdint>
#include <type_traits>

#define ATTN_KERNELS <attn/simd/machine_operations.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

using attn::simd::Array;

inline constexpr Index register_bytes = ATTN_REGISTER_BYTES;

template <class T, Index n>
struct RegisterOf {
  typedef T type __attribute__((vector_size(sizeof(T) * static_cast<std::size_t>(n))));
};
template <class T>
struct RegisterOf<T, 1> {
  using type = T;
};
/// n values of type T in a register: a vector type of the compiler, or T itself where n is 1.
template <class T, Index n>
using Register = typename RegisterOf<T, n>::type;

/// The integer that is as wide as T.
template <class T>
using LaneInteger = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

/// The bits of x as another type. (std::bit_cast is compiled for the baseline, which returns wide
/// vectors in another place.)
template <class To, class From>
To reinterpret(const From& x) {
  return __builtin_bit_cast(To, x);
}

/// A register in memory, at any address, among objects of any type.
template <class Packet>
struct InMemory {
  typedef Packet type __attribute__((aligned(1))) __attribute__((may_alias));
};
/// What lies in memory as a register. (std::memcpy is not used, because g++ 12 with -march=native
/// copies the widest registers by halves, through the stack.)
template <class Packet>
EIGEN_ALWAYS_INLINE Packet load_packet(const void* from) {
  return *static_cast<const typename InMemory<Packet>::type*>(from);
}
template <class Packet>
EIGEN_ALWAYS_INLINE void store_packet(void* to, const Packet& x) {
  *static_cast<typename InMemory<Packet>::type*>(to) = x;
}

template <class T, Index n>
Register<T, n> broadcast(T x) {
  if constexpr (n == 1) return x;
  else return x - Register<T, n>{};
}

// What compilers have no operator for. Each function has a portable form, which computes lane by
// lane or with a·b + c for the fused multiply-add, and beside it the instruction of a machine.

template <class Packet, class F>
Packet for_each_element(const Packet& a, const F& f) {
  if constexpr (std::is_arithmetic_v<Packet>) {
    return f(a);
  } else {
    Packet result = a;
    for (std::size_t i = 0; i < sizeof(Packet) / sizeof(a[0]); ++i) result[i] = f(a[i]);
    return result;
  }
}

template <class Packet>
Packet fused_multiply_add(const Packet& a, const Packet& b, const Packet& c) {
  return a * b + c;
}
/// All bits of a lane where a < b, a ≤ b, a = b; a bool where the packet is a number.
template <class Packet>
auto less(const Packet& a, const Packet& b) {
  return a < b;
}
template <class Packet>
auto less_equal(const Packet& a, const Packet& b) {
  return a <= b;
}
template <class Packet>
auto equal(const Packet& a, const Packet& b) {
  return a == b;
}
/// `yes` where all bits of a lane of the mask are set, `no` where none is.
template <class Bits, class Packet>
Packet blend(const Bits& mask, const Packet& yes, const Packet& no) {
  return mask ? yes : no;
}
/// b > a ? b : a, and b < a ? b : a: a where one of them is NaN. (From operators compilers
/// generate a comparison and a blend, not one instruction.)
template <class Packet>
Packet maximum(const Packet& a, const Packet& b) {
  return b > a ? b : a;
}
template <class Packet>
Packet minimum(const Packet& a, const Packet& b) {
  return b < a ? b : a;
}
template <class Packet>
Packet square_root(const Packet& a) {
  return for_each_element(a, [](auto x) { return std::sqrt(x); });
}
template <class Packet>
Packet floor_of(const Packet& a) {
  return for_each_element(a, [](auto x) { return std::floor(x); });
}

ATTN_BEGIN_UNDEFINED_REGISTERS

#if defined(__aarch64__)
inline Register<float, 4> square_root(const Register<float, 4>& a) { return vsqrtq_f32(a); }
inline Register<double, 2> square_root(const Register<double, 2>& a) { return vsqrtq_f64(a); }
inline Register<float, 4> floor_of(const Register<float, 4>& a) { return vrndmq_f32(a); }
inline Register<double, 2> floor_of(const Register<double, 2>& a) { return vrndmq_f64(a); }
inline Register<float, 4> fused_multiply_add(const Register<float, 4>& a,
                                             const Register<float, 4>& b,
                                             const Register<float, 4>& c) {
  return vfmaq_f32(c, a, b);
}
inline Register<double, 2> fused_multiply_add(const Register<double, 2>& a,
                                              const Register<double, 2>& b,
                                              const Register<double, 2>& c) {
  return vfmaq_f64(c, a, b);
}
#elif ATTN_REGISTER_BYTES == 16 && defined(__SSE2__)
// Comparisons and what is chosen by them are written in instructions: for the operators g++ 12 may
// need a comparison of 64-bit integers, which SSE2 has not, and stops with an internal error.
inline Register<std::int32_t, 4> less(const Register<float, 4>& a, const Register<float, 4>& b) {
  return reinterpret<Register<std::int32_t, 4> >(_mm_cmplt_ps(a, b));
}
inline Register<std::int64_t, 2> less(const Register<double, 2>& a, const Register<double, 2>& b) {
  return reinterpret<Register<std::int64_t, 2> >(_mm_cmplt_pd(a, b));
}
inline Register<std::int32_t, 4> less_equal(const Register<float, 4>& a,
                                            const Register<float, 4>& b) {
  return reinterpret<Register<std::int32_t, 4> >(_mm_cmple_ps(a, b));
}
inline Register<std::int64_t, 2> less_equal(const Register<double, 2>& a,
                                            const Register<double, 2>& b) {
  return reinterpret<Register<std::int64_t, 2> >(_mm_cmple_pd(a, b));
}
inline Register<std::int32_t, 4> equal(const Register<float, 4>& a, const Register<float, 4>& b) {
  return reinterpret<Register<std::int32_t, 4> >(_mm_cmpeq_ps(a, b));
}
inline Register<std::int64_t, 2> equal(const Register<double, 2>& a, const Register<double, 2>& b) {
  return reinterpret<Register<std::int64_t, 2> >(_mm_cmpeq_pd(a, b));
}
inline Register<float, 4> blend(const Register<std::int32_t, 4>& mask,
                                const Register<float, 4>& yes, const Register<float, 4>& no) {
  const auto bits = reinterpret<__m128>(mask);
  return _mm_or_ps(_mm_and_ps(bits, yes), _mm_andnot_ps(bits, no));
}
inline Register<double, 2> blend(const Register<std::int64_t, 2>& mask,
                                 const Register<double, 2>& yes, const Register<double, 2>& no) {
  const auto bits = reinterpret<__m128d>(mask);
  return _mm_or_pd(_mm_and_pd(bits, yes), _mm_andnot_pd(bits, no));
}
inline Register<float, 4> maximum(const Register<float, 4>& a, const Register<float, 4>& b) {
  return _mm_max_ps(b, a);
}
inline Register<double, 2> maximum(const Register<double, 2>& a, const Register<double, 2>& b) {
  return _mm_max_pd(b, a);
}
inline Register<float, 4> minimum(const Register<float, 4>& a, const Register<float, 4>& b) {
  return _mm_min_ps(b, a);
}
inline Register<double, 2> minimum(const Register<double, 2>& a, const Register<double, 2>& b) {
  return _mm_min_pd(b, a);
}
inline Register<float, 4> square_root(const Register<float, 4>& a) { return _mm_sqrt_ps(a); }
inline Register<double, 2> square_root(const Register<double, 2>& a) { return _mm_sqrt_pd(a); }
#elif ATTN_REGISTER_BYTES == 32
inline Register<float, 8> maximum(const Register<float, 8>& a, const Register<float, 8>& b) {
  return _mm256_max_ps(b, a);
}
inline Register<double, 4> maximum(const Register<double, 4>& a, const Register<double, 4>& b) {
  return _mm256_max_pd(b, a);
}
inline Register<float, 8> minimum(const Register<float, 8>& a, const Register<float, 8>& b) {
  return _mm256_min_ps(b, a);
}
inline Register<double, 4> minimum(const Register<double, 4>& a, const Register<double, 4>& b) {
  return _mm256_min_pd(b, a);
}
inline Register<float, 8> square_root(const Register<float, 8>& a) { return _mm256_sqrt_ps(a); }
inline Register<double, 4> square_root(const Register<double, 4>& a) { return _mm256_sqrt_pd(a); }
inline Register<float, 8> floor_of(const Register<float, 8>& a) { return _mm256_floor_ps(a); }
inline Register<double, 4> floor_of(const Register<double, 4>& a) { return _mm256_floor_pd(a); }
#if ATTN_FMA
inline Register<float, 8> fused_multiply_add(const Register<float, 8>& a,
                                             const Register<float, 8>& b,
                                             const Register<float, 8>& c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Register<double, 4> fused_multiply_add(const Register<double, 4>& a,
                                              const Register<double, 4>& b,
                                              const Register<double, 4>& c) {
  return _mm256_fmadd_pd(a, b, c);
}
#endif
#elif ATTN_REGISTER_BYTES == 64
inline Register<float, 16> maximum(const Register<float, 16>& a, const Register<float, 16>& b) {
  return _mm512_max_ps(b, a);
}
inline Register<double, 8> maximum(const Register<double, 8>& a, const Register<double, 8>& b) {
  return _mm512_max_pd(b, a);
}
inline Register<float, 16> minimum(const Register<float, 16>& a, const Register<float, 16>& b) {
  return _mm512_min_ps(b, a);
}
inline Register<double, 8> minimum(const Register<double, 8>& a, const Register<double, 8>& b) {
  return _mm512_min_pd(b, a);
}
inline Register<float, 16> square_root(const Register<float, 16>& a) { return _mm512_sqrt_ps(a); }
inline Register<double, 8> square_root(const Register<double, 8>& a) { return _mm512_sqrt_pd(a); }
inline Register<float, 16> floor_of(const Register<float, 16>& a) { return _mm512_floor_ps(a); }
inline Register<double, 8> floor_of(const Register<double, 8>& a) { return _mm512_floor_pd(a); }
inline Register<float, 16> fused_multiply_add(const Register<float, 16>& a,
                                              const Register<float, 16>& b,
                                              const Register<float, 16>& c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Register<double, 8> fused_multiply_add(const Register<double, 8>& a,
                                              const Register<double, 8>& b,
                                              const Register<double, 8>& c) {
  return _mm512_fmadd_pd(a, b, c);
}
#endif

ATTN_END_UNDEFINED_REGISTERS

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
