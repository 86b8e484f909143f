#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_BYTE_DOTS_HPP
#define ATTN_SIMD_BYTE_DOTS_HPP

#include <attn/simd/machine_operations.hpp>

#define ATTN_KERNELS <attn/simd/byte_dots.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

// Products of bytes in words of 32 bits, exact. The bytes w of weights are at least −128, and those
// a of activations at least −127.

/// Registers of integers of 16 bits, twice as many as there are words.
template <class Words>
using HalfWords = Register<std::int16_t, static_cast<Index>(sizeof(Words) / 2)>;

/// w·a + w'·a' of the lower two bytes of each word and of the upper two: the sums have 16 bits.
template <class Words>
HalfWords<Words> pair_products(const Words& w, const Words& a) {
  const auto ws = reinterpret<HalfWords<Words> >(w), as = reinterpret<HalfWords<Words> >(a);
  return (ws << 8 >> 8) * (as << 8 >> 8) + (ws >> 8) * (as >> 8);
}
/// The same where w and w' are at least 0.
template <class Words>
HalfWords<Words> nonnegative_pair_products(const Words& w, const Words& a) {
  return pair_products(w, a);
}
/// The sums of the two halves of each word.
template <class Words>
Words sum_halves(const HalfWords<Words>& x) {
  const auto words = reinterpret<Words>(x);
  return (words << 16 >> 16) + (words >> 16);
}

ATTN_BEGIN_UNDEFINED_REGISTERS

#if ATTN_AVX2 && ATTN_REGISTER_BYTES == 32
/// |w| of each byte.
inline Register<std::int32_t, 8> magnitude(const Register<std::int32_t, 8>& w) {
  return reinterpret<Register<std::int32_t, 8> >(_mm256_abs_epi8(reinterpret<__m256i>(w)));
}
/// a where w is positive, −a where it is negative, for each byte.
inline Register<std::int32_t, 8> with_sign(const Register<std::int32_t, 8>& a,
                                           const Register<std::int32_t, 8>& w) {
  return reinterpret<Register<std::int32_t, 8> >(
      _mm256_sign_epi8(reinterpret<__m256i>(a), reinterpret<__m256i>(w)));
}
inline Register<std::int16_t, 16> nonnegative_pair_products(const Register<std::int32_t, 8>& w,
                                                            const Register<std::int32_t, 8>& a) {
  return reinterpret<Register<std::int16_t, 16> >(
      _mm256_maddubs_epi16(reinterpret<__m256i>(w), reinterpret<__m256i>(a)));
}
inline Register<std::int16_t, 16> pair_products(const Register<std::int32_t, 8>& w,
                                                const Register<std::int32_t, 8>& a) {
  return nonnegative_pair_products(magnitude(w), with_sign(a, w));
}
template <>
inline Register<std::int32_t, 8> sum_halves(const Register<std::int16_t, 16>& x) {
  return reinterpret<Register<std::int32_t, 8> >(
      _mm256_madd_epi16(reinterpret<__m256i>(x), _mm256_set1_epi16(1)));
}
#elif ATTN_AVX2 && ATTN_REGISTER_BYTES == 64
/// |w| of each byte.
inline Register<std::int32_t, 16> magnitude(const Register<std::int32_t, 16>& w) {
  return reinterpret<Register<std::int32_t, 16> >(_mm512_abs_epi8(reinterpret<__m512i>(w)));
}
/// a where w is at least 0, −a where it is negative, for each byte.
inline Register<std::int32_t, 16> with_sign(const Register<std::int32_t, 16>& a,
                                            const Register<std::int32_t, 16>& w) {
  const auto as = reinterpret<__m512i>(a);
  const __mmask64 is_negative = _mm512_movepi8_mask(reinterpret<__m512i>(w));
  return reinterpret<Register<std::int32_t, 16> >(
      _mm512_mask_sub_epi8(as, is_negative, _mm512_setzero_si512(), as));
}
inline Register<std::int16_t, 32> nonnegative_pair_products(const Register<std::int32_t, 16>& w,
                                                            const Register<std::int32_t, 16>& a) {
  return reinterpret<Register<std::int16_t, 32> >(
      _mm512_maddubs_epi16(reinterpret<__m512i>(w), reinterpret<__m512i>(a)));
}
inline Register<std::int16_t, 32> pair_products(const Register<std::int32_t, 16>& w,
                                                const Register<std::int32_t, 16>& a) {
  return nonnegative_pair_products(magnitude(w), with_sign(a, w));
}
template <>
inline Register<std::int32_t, 16> sum_halves(const Register<std::int16_t, 32>& x) {
  return reinterpret<Register<std::int32_t, 16> >(
      _mm512_madd_epi16(reinterpret<__m512i>(x), _mm512_set1_epi16(1)));
}
#endif

#if ATTN_REGISTER_BYTES == 64 && defined(__AVX512VNNI__)
#define ATTN_DOT_INSTRUCTION
/// sum + w₀·a₀ + w₁·a₁ + w₂·a₂ + w₃·a₃, where w is at least 0.
inline Register<std::int32_t, 16> nonnegative_dot(const Register<std::int32_t, 16>& sum,
                                                  const Register<std::int32_t, 16>& w,
                                                  const Register<std::int32_t, 16>& a) {
  return reinterpret<Register<std::int32_t, 16> >(_mm512_dpbusd_epi32(
      reinterpret<__m512i>(sum), reinterpret<__m512i>(w), reinterpret<__m512i>(a)));
}
#elif ATTN_REGISTER_BYTES == 32 && ATTN_AVX2 && defined(__AVXVNNI__)
#define ATTN_DOT_INSTRUCTION
/// sum + w₀·a₀ + w₁·a₁ + w₂·a₂ + w₃·a₃, where w is at least 0.
inline Register<std::int32_t, 8> nonnegative_dot(const Register<std::int32_t, 8>& sum,
                                                 const Register<std::int32_t, 8>& w,
                                                 const Register<std::int32_t, 8>& a) {
  return reinterpret<Register<std::int32_t, 8> >(_mm256_dpbusd_avx_epi32(
      reinterpret<__m256i>(sum), reinterpret<__m256i>(w), reinterpret<__m256i>(a)));
}
#elif defined(__ARM_FEATURE_DOTPROD)
#define ATTN_DOT_INSTRUCTION
inline Register<std::int32_t, 4> nonnegative_dot(const Register<std::int32_t, 4>& sum,
                                                 const Register<std::int32_t, 4>& w,
                                                 const Register<std::int32_t, 4>& a) {
  return reinterpret<Register<std::int32_t, 4> >(
      vdotq_s32(reinterpret<int32x4_t>(sum), reinterpret<int8x16_t>(w), reinterpret<int8x16_t>(a)));
}
/// The instruction above takes signed bytes.
inline const Register<std::int32_t, 4>& magnitude(const Register<std::int32_t, 4>& w) { return w; }
inline const Register<std::int32_t, 4>& with_sign(const Register<std::int32_t, 4>& a,
                                                  const Register<std::int32_t, 4>&) {
  return a;
}
#endif

ATTN_END_UNDEFINED_REGISTERS

/// Sums of w₀·a₀ + w₁·a₁ + w₂·a₂ + w₃·a₃ over pairs of words.
template <class Words>
struct SignedDots {
  Words total{};

  EIGEN_ALWAYS_INLINE void add(const Words& w, const Words& a) {
#ifdef ATTN_DOT_INSTRUCTION
    total = nonnegative_dot(total, magnitude(w), with_sign(a, w));
#else
    total += sum_halves<Words>(pair_products(w, a));
#endif
  }
  EIGEN_ALWAYS_INLINE Words sum() const { return total; }
};
/// The same of at most eight pairs of words, where w is 0 to 15: the sums of half a word have 16
/// bits.
template <class Words>
struct NibbleDots {
#ifdef ATTN_DOT_INSTRUCTION
  Words total{};

  EIGEN_ALWAYS_INLINE void add(const Words& w, const Words& a) {
    total = nonnegative_dot(total, w, a);
  }
  EIGEN_ALWAYS_INLINE Words sum() const { return total; }
#else
  HalfWords<Words> total{};

  EIGEN_ALWAYS_INLINE void add(const Words& w, const Words& a) {
    total += nonnegative_pair_products(w, a);
  }
  EIGEN_ALWAYS_INLINE Words sum() const { return sum_halves<Words>(total); }
#endif
};
#undef ATTN_DOT_INSTRUCTION

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
