#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_WIDEN_HPP
#define ATTN_SIMD_WIDEN_HPP

#include <attn/core/storage.hpp>
#include <attn/simd/simd.hpp>

#define ATTN_KERNELS <attn/simd/widen.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// to_i = scale · from_i, each product rounded once; `from` are stored numbers or integers.
template <class T, class Stored>
void widen(const Stored* from, Index count, T scale, T* to) {
  ATTN_DISPATCH(widen(from, count, scale, to));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// As many integers as a register has floats, as integers of 32 bits.
template <class Integer>
Register<std::int32_t, lanes<float> > load_integers(const Integer* from) {
  const auto packed = load_packet<Register<Integer, lanes<float> > >(from);
  return __builtin_convertvector(packed, Register<std::int32_t, lanes<float> >);
}
// The same by instructions, because g++ 12 takes bytes apart for the conversion.
ATTN_BEGIN_UNDEFINED_REGISTERS

#if ATTN_AVX2 && ATTN_REGISTER_BYTES == 32
inline Register<std::int32_t, 8> load_integers(const std::int8_t* from) {
  return reinterpret<Register<std::int32_t, 8> >(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
inline Register<std::int32_t, 8> load_integers(const std::uint16_t* from) {
  return reinterpret<Register<std::int32_t, 8> >(
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
#elif ATTN_AVX2 && ATTN_REGISTER_BYTES == 64
inline Register<std::int32_t, 16> load_integers(const std::int8_t* from) {
  return reinterpret<Register<std::int32_t, 16> >(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
inline Register<std::int32_t, 16> load_integers(const std::uint16_t* from) {
  return reinterpret<Register<std::int32_t, 16> >(
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
}
#endif

inline Vector<float> to_floats(const Register<std::int32_t, lanes<float> >& x) {
  return Vector<float>::of(__builtin_convertvector(x, Register<float, lanes<float> >));
}

/// Stored numbers as floats, which is exact.
inline Vector<float> load_wide(const bfloat16* from) {
  const auto bits = load_integers(reinterpret_cast<const std::uint16_t*>(from)) << 16;
  return Vector<float>::of(reinterpret<Register<float, lanes<float> > >(bits));
}
inline Vector<float> load_wide(const std::int8_t* from) { return to_floats(load_integers(from)); }
inline Vector<float> load_wide(const float* from) { return load<Vector<float> >(from); }
inline Vector<float> load_wide(const float16* from) {
#if ATTN_F16C && ATTN_REGISTER_BYTES == 64
  return Vector<float>::of(
      _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif ATTN_F16C && ATTN_REGISTER_BYTES == 32
  return Vector<float>::of(
      _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#else
  // The 15 bits after the sign, shifted to their places in a float, are 2⁻¹¹² times the number; for
  // infinities and NaN the exponent is then set by hand.
  using Bits = Register<std::int32_t, lanes<float> >;
  using Packet = Register<float, lanes<float> >;
  const Bits bits = load_integers(reinterpret_cast<const std::uint16_t*>(from));
  const Bits shifted = (bits & 0x7fff) << 13;
  const Packet number = reinterpret<Packet>(shifted) * 0x1p112f;
  const Bits exponent = (shifted >= (0x7c00 << 13)) & 0x7f800000;
  return Vector<float>::of(
      reinterpret<Packet>(reinterpret<Bits>(number) | exponent | ((bits & 0x8000) << 16)));
#endif
}

ATTN_END_UNDEFINED_REGISTERS

/// A vector of T of what is stored as another type, or as T.
template <class T, class Stored>
Vector<T> load_as(const Stored* from) {
  if constexpr (std::is_same_v<T, Stored>) {
    return load<Vector<T> >(from);
  } else if constexpr (std::is_same_v<T, float>) {
    return load_wide(from);
  } else {
    Array<T, Vector<T>::size> numbers;
    for (Index i = 0; i < Vector<T>::size; ++i) numbers[i] = static_cast<T>(from[i]);
    return load<Vector<T> >(numbers.data);
  }
}

}  // namespace simd

template <class T, class Stored>
void widen(const Stored* from, Index count, T scale, T* to) {
  using Vector = simd::Vector<T>;
  Index i = 0;
  for (; i + Vector::size <= count; i += Vector::size)
    simd::store(to + i, scale * simd::load_as<T>(from + i));
  for (; i < count; ++i) to[i] = scale * static_cast<T>(from[i]);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
