#pragma once

#include <attn/simd/simd.hpp>
#include <concepts>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

template <class T>
inline constexpr T log2e = T(1.44269504088896340736);

/// What exp needs to know of a number format: 2^f = 1 + f·(c₀ + c₁f + …) on |f| ≤ ½, a minimax
/// polynomial of the relative error; ln 2 in two parts, of which the first has trailing zeros
/// enough for n·ln2_high to be exact.
template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {  // relative error of the polynomial 2.0e-9
  static constexpr float power[] = {0.69314720285503164763f,   0.24022647913636852127f,
                                    0.055503324711908571697f,  0.0096184373569574205587f,
                                    0.0013398874393981390061f, 0.00015353362068858489034f};
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float lowest = -87.3365447505531f,
                         highest = 88.7228391116729f;  // exp = 2^-126 and the largest float
  static constexpr float lowest_power = -126;          // the smallest normal number is 2^-126
};
template <>
struct ExpConstants<double> {  // relative error of the polynomial 3.4e-18
  static constexpr double power[] = {
      0.69314718055994532581,     0.2402265069591013126,    0.055504108664820083227,
      0.0096181291075941201896,   0.0013333558146774620517, 0.0001540353045711209086,
      0.000015252733493127489347, 1.3215435282308487999e-6, 1.0178199571842137974e-7,
      7.0737832485031332991e-9,   4.4347712982003767083e-10};
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
  static constexpr double lowest = -708.396418532264106224, highest = 709.782712893383973096;
  static constexpr double lowest_power = -1022;
};

namespace simd {

/// factor · (c₀ + c₁f + c₂f² + …) for N vectors, where 2^f = 1 + f·(c₀ + c₁f + …) on |f| ≤ ½; step
/// by step for all, so that one is computed while another waits.
template <class T, Index n, Index N>
EIGEN_ALWAYS_INLINE Array<Lanes<T, n>, N> exp2_series(const Array<Lanes<T, n>, N>& f,
                                                      T factor = 1) {
  constexpr auto& c = ExpConstants<T>::power;
  constexpr int degree = static_cast<int>(std::size(c)) - 1;
  Array<Lanes<T, n>, N> series;
#pragma GCC unroll 4
  for (Index i = 0; i < N; ++i) series[i] = factor * c[degree];
#pragma GCC unroll 16
  for (int k = degree - 1; k >= 0; --k)
#pragma GCC unroll 4
    for (Index i = 0; i < N; ++i) series[i] = fma(series[i], f[i], factor * c[k]);
  return series;
}
template <class T, Index n>
Lanes<T, n> exp2_series(const Lanes<T, n>& f) {
  return exp2_series(Array<Lanes<T, n>, 1>{{f}})[0];
}

/// a + b, not to be simplified with what comes before or after: x + shift − shift is x rounded to a
/// whole number.
template <class T, Index n>
EIGEN_ALWAYS_INLINE Lanes<T, n> rounded_sum(const Lanes<T, n>& a, T b) {
  Lanes<T, n> sum = a + b;
  pin(sum);
  return sum;
}

/// 2ˣ for x < 128 (float) or 1024 (double): the exponential of the kernels, whose powers are at
/// most 0; in place, for several vectors.
/// Numerics: exactly 0 for −inf and wherever the result would be subnormal, and a little before;
/// NaN stays NaN.
template <class T, Index n, Index N>
EIGEN_ALWAYS_INLINE void exp2(Array<Lanes<T, n>, N>& x) {
  constexpr T shift = power_of_two_shift<T> - 1;
  Array<Lanes<T, n>, N> shifted;
#pragma GCC unroll 4
  for (Index i = 0; i < N; ++i)
    x[i] = max(x[i], ExpConstants<T>::lowest_power), shifted[i] = rounded_sum(x[i], shift);
#pragma GCC unroll 4
  for (Index i = 0; i < N; ++i) x[i] = x[i] - rounded_sum(shifted[i], -shift);
  const Array<Lanes<T, n>, N> series = exp2_series(x, T(2));
#pragma GCC unroll 4
  for (Index i = 0; i < N; ++i)
    x[i] = fma(series[i], x[i], T(2)) *
           power_of_two(shifted[i]);  // 2·2^f · 2^(whole − 1): 0 for the lowest power
}
template <class T, Index n>
Lanes<T, n> exp2(const Lanes<T, n>& x) {
  Array<Lanes<T, n>, 1> y{{x}};
  exp2(y);
  return y[0];
}

/// eˣ in every lane. Numerics: exactly 0 for −inf and wherever the result would be subnormal
/// (Eigen's vectorised exp gives 2.9e-39 for −inf, which revives masked keys, and subnormals are
/// slow); NaN stays NaN; +inf above the largest finite result. x = n·ln 2 + r in two steps, then
/// 2^n · 2^(r/ln 2).
template <class T, Index n>
Lanes<T, n> exp(const Lanes<T, n>& x) {
  using C = ExpConstants<T>;
  const Lanes<T, n> bounded = min(max(x, C::lowest), C::highest);
  const Lanes<T, n> whole =
      rounded_sum(rounded_sum(bounded * log2e<T>, power_of_two_shift<T>), -power_of_two_shift<T>);
  const Lanes<T, n> f = fma(whole, -C::ln2_low, fma(whole, -C::ln2_high, bounded)) * log2e<T>;
  Lanes<T, n> y =
      Lanes<T, n>::of(packet::pldexp(fma(exp2_series(f), f, T(1)).packet, whole.packet));
  y = select(x < C::lowest, T(0), y);
  y = select(C::highest < x, std::numeric_limits<T>::infinity(), y);
  return select(x == x, y, x);
}

/// tanh x = (e²ˣ − 1) / (e²ˣ + 1).
/// Numerics: e²ˣ − 1 = 2ⁿ·(2^f − 1) + (2ⁿ − 1) keeps every digit of a small x; within 4 ulp.
template <class T, Index n>
EIGEN_ALWAYS_INLINE Lanes<T, n> tanh(const Lanes<T, n>& x) {
  const Lanes<T, n> power = min(max(x, T(-20)), T(20)) * 2 * log2e<T>,
                    shifted = rounded_sum(power, power_of_two_shift<T>);
  const Lanes<T, n> f = power - rounded_sum(shifted, -power_of_two_shift<T>),
                    two_to_whole = power_of_two(shifted);
  const Lanes<T, n> less_one = fma(two_to_whole, exp2_series(f) * f, two_to_whole - T(1));
  return less_one / (less_one + T(2));
}

}  // namespace simd

/// eˣ of one number: the same bits as a lane of `simd::exp`.
template <std::floating_point T>
T exp(T x) {
  return simd::exp(simd::Vector<T>(x)).first();
}

}  // namespace ATTN_ABI
}  // namespace attn
