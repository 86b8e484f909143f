#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_EXP_HPP
#define ATTN_SIMD_EXP_HPP

#include <attn/simd/exp_constants.hpp>
#include <attn/simd/simd.hpp>
#include <concepts>
#include <iterator>
#include <limits>

#define ATTN_KERNELS <attn/simd/exp.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// factor · (c₀ + c₁f + c₂f² + …) for several vectors, where 2^f = 1 + f·(c₀ + c₁f + …) on |f| ≤ ½.
/// Each operation is done for all of them, so that one is computed while another waits.
template <class T, Index n, Index count>
EIGEN_ALWAYS_INLINE simd::Array<simd::Lanes<T, n>, count> exp2_series(
    const simd::Array<simd::Lanes<T, n>, count>& f, T factor = 1) {
  constexpr auto& c = ExpConstants<T>::power;
  constexpr int degree = static_cast<int>(std::size(c)) - 1;
  simd::Array<simd::Lanes<T, n>, count> series;
#pragma GCC unroll 4
  for (Index i = 0; i < count; ++i) series[i] = factor * c[degree];
#pragma GCC unroll 16
  for (int k = degree - 1; k >= 0; --k)
#pragma GCC unroll 4
    for (Index i = 0; i < count; ++i) series[i] = fma(series[i], f[i], factor * c[k]);
  return series;
}
template <class T, Index n>
simd::Lanes<T, n> exp2_series(const simd::Lanes<T, n>& f) {
  return exp2_series(simd::Array<simd::Lanes<T, n>, 1>{{f}})[0];
}

/// a + b, which the compiler does not simplify together with what comes before or after:
/// x + shift − shift is x rounded to an integer.
template <class T, Index n>
EIGEN_ALWAYS_INLINE simd::Lanes<T, n> rounded_sum(const simd::Lanes<T, n>& a, T b) {
  simd::Lanes<T, n> sum = a + b;
  pin(sum);
  return sum;
}

namespace simd {

/// 2ˣ for x < 128 (float) or 1024 (double), in place, for several vectors: the exponential of the
/// kernels, whose powers are at most 0.
/// Numerics: exactly 0 for −inf and wherever the result would be subnormal, and a little before;
/// NaN stays NaN.
template <class T, Index n, Index count>
EIGEN_ALWAYS_INLINE void exp2(Array<Lanes<T, n>, count>& x) {
  constexpr T shift = power_of_two_shift<T> - 1;
  Array<Lanes<T, n>, count> shifted;
#pragma GCC unroll 4
  for (Index i = 0; i < count; ++i) {
    x[i] = max(x[i], ExpConstants<T>::lowest_power);
    shifted[i] = rounded_sum(x[i], shift);
  }
#pragma GCC unroll 4
  for (Index i = 0; i < count; ++i) x[i] = x[i] - rounded_sum(shifted[i], -shift);
  const Array<Lanes<T, n>, count> series = exp2_series(x, T(2));
  // 2·2^f · 2^(integer − 1), which is 0 for the lowest power.
#pragma GCC unroll 4
  for (Index i = 0; i < count; ++i) x[i] = fma(series[i], x[i], T(2)) * power_of_two(shifted[i]);
}
template <class T, Index n>
Lanes<T, n> exp2(const Lanes<T, n>& x) {
  Array<Lanes<T, n>, 1> y{{x}};
  exp2(y);
  return y[0];
}

/// x · 2^power for integers in `power`, in two steps, because 2^power may exceed every number.
template <class T, Index n>
Lanes<T, n> scale_by_power_of_two(const Lanes<T, n>& x, const Lanes<T, n>& power) {
  constexpr T shift = power_of_two_shift<T>;
  const Lanes<T, n> half = rounded_sum(rounded_sum(power * T(0.5), shift), -shift);
  return x * power_of_two(half + shift) * power_of_two((power - half) + shift);
}

/// eˣ in every lane: x = n·ln 2 + r in two steps, then 2^n · 2^(r/ln 2).
/// Numerics: exactly 0 for −inf and wherever the result would be subnormal (Eigen's vectorized exp
/// gives 2.9e-39 for −inf, which revives masked keys, and subnormals are slow); NaN stays NaN; +inf
/// above the largest finite result.
template <class T, Index n>
Lanes<T, n> exp(const Lanes<T, n>& x) {
  using Constants = ExpConstants<T>;
  constexpr T shift = power_of_two_shift<T>;
  const Lanes<T, n> bounded = min(max(x, Constants::lowest), Constants::highest);
  const Lanes<T, n> integer = rounded_sum(rounded_sum(bounded * log2e<T>, shift), -shift);
  const Lanes<T, n> remainder =
      fma(integer, -Constants::ln2_low, fma(integer, -Constants::ln2_high, bounded));
  const Lanes<T, n> f = remainder * log2e<T>;
  Lanes<T, n> y = scale_by_power_of_two(fma(exp2_series(f), f, T(1)), integer);
  y = select(x < Constants::lowest, T(0), y);
  y = select(Constants::highest < x, std::numeric_limits<T>::infinity(), y);
  return select(x == x, y, x);
}

/// tanh x = (e²ˣ − 1) / (e²ˣ + 1).
/// Numerics: e²ˣ − 1 = 2ⁿ·(2^f − 1) + (2ⁿ − 1) keeps every digit of a small x; within 4 ulp.
template <class T, Index n>
Lanes<T, n> tanh(const Lanes<T, n>& x) {
  constexpr T shift = power_of_two_shift<T>;
  const Lanes<T, n> power = min(max(x, T(-20)), T(20)) * 2 * log2e<T>;
  const Lanes<T, n> shifted = rounded_sum(power, shift);
  const Lanes<T, n> f = power - rounded_sum(shifted, -shift);
  const Lanes<T, n> integer_power = power_of_two(shifted);
  const Lanes<T, n> minus_one = fma(integer_power, exp2_series(f) * f, integer_power - T(1));
  return minus_one / (minus_one + T(2));
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
