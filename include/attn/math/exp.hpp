#pragma once

#include <attn/core/simd.hpp>
#include <limits>

namespace attn::inline ATTN_ABI {

/// What exp needs to know of a number format: 2^f = 1 + f·(c₀ + c₁f + …) on |f| ≤ ½, a minimax polynomial of the relative
/// error; ln 2 in two parts, of which the first has trailing zeros enough for n·ln2_high to be exact.
template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {  // relative error of the polynomial 2.0e-9
  static constexpr float power[] = {0.69314720285503164763f, 0.24022647913636852127f,  0.055503324711908571697f,
                                    0.0096184373569574205587f, 0.0013398874393981390061f, 0.00015353362068858489034f};
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f, round = 12582912.0f;            // 1.5 · 2^23
  static constexpr float lowest = -87.3365447505531f, highest = 88.7228391116729f;                            // exp = 2^-126 and the largest float
};
template <>
struct ExpConstants<double> {  // relative error of the polynomial 3.4e-18
  static constexpr double power[] = {0.69314718055994532581,     0.2402265069591013126,      0.055504108664820083227,    0.0096181291075941201896,
                                     0.0013333558146774620517,   0.0001540353045711209086,   0.000015252733493127489347, 1.3215435282308487999e-6,
                                     1.0178199571842137974e-7,   7.0737832485031332991e-9,   4.4347712982003767083e-10};
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6, round = 6755399441055744.0;  // 1.5 · 2^52
  static constexpr double lowest = -708.396418532264106224, highest = 709.782712893383973096;
};

namespace simd {

/// eˣ in every lane. Numerics: exactly 0 for −inf and wherever the result would be subnormal (Eigen's vectorised exp gives
/// 2.9e-39 for −inf, which revives masked keys, and subnormals are slow); NaN stays NaN; +inf above the largest finite result.
/// x = n·ln 2 + r in two steps, then 2^n · 2^(r/ln 2).
template <class P>
P exp(const P& x) {
  using T = Lane<P>;
  using C = ExpConstants<T>;
  const P bounded = packet::pmin(packet::pmax(x, all(C::lowest)), all(C::highest));
  const P n = packet::psub(packet::pmadd(bounded, all(T(1.44269504088896340736)), all(C::round)), all(C::round));
  const P r = packet::pmadd(n, all(-C::ln2_low), packet::pmadd(n, all(-C::ln2_high), bounded));
  const P f = packet::pmul(r, all(T(1.44269504088896340736)));
  P series = all(C::power[std::size(C::power) - 1]);
  for (std::size_t k = std::size(C::power) - 1; k-- > 0;) series = packet::pmadd(series, f, all(C::power[k]));
  P y = packet::pldexp(packet::pmadd(series, f, all(T(1))), n);
  y = packet::pselect(packet::pcmp_lt(x, all(C::lowest)), all(T(0)), y);
  y = packet::pselect(packet::pcmp_lt(all(C::highest), x), all(std::numeric_limits<T>::infinity()), y);
  return packet::pselect(packet::pcmp_eq(x, x), y, x);
}

}  // namespace simd

/// eˣ of one number: the same bits as a lane of `simd::exp`.
template <class T>
T exp(T x) {
  return simd::packet::pfirst(simd::exp(simd::all(x)));
}

}  // namespace attn::inline ATTN_ABI
