#pragma once

#include <attn/core/config.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class T>
inline constexpr T log2e = T(1.44269504088896340736);

namespace detail {

/// What the exponential depends on in a floating-point format.
/// `power`: c₀, c₁, … of 2^f = 1 + f·(c₀ + c₁f + …) on |f| ≤ ½, a minimax polynomial of the
/// relative error.
/// `ln2_high`, `ln2_low`: ln 2 in two parts; the first has enough trailing zeros for n·ln2_high to
/// be exact.
/// `lowest`, `highest`: where the result is the smallest normal and the largest finite value.
/// `lowest_power`: the base-2 logarithm of the smallest normal value.
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {  // relative error of the polynomial 2.0e-9
  static constexpr float power[] = {0.69314720285503164763f,   0.24022647913636852127f,
                                    0.055503324711908571697f,  0.0096184373569574205587f,
                                    0.0013398874393981390061f, 0.00015353362068858489034f};
  static constexpr float ln2_high = 0.693359375f;
  static constexpr float ln2_low = -2.12194440e-4f;
  static constexpr float lowest = -87.3365447505531f;
  static constexpr float highest = 88.7228391116729f;
  static constexpr float lowest_power = -126;
};

template <>
struct ExpConstants<double> {  // relative error of the polynomial 3.4e-18
  static constexpr double power[] = {
      0.69314718055994532581,     0.2402265069591013126,    0.055504108664820083227,
      0.0096181291075941201896,   0.0013333558146774620517, 0.0001540353045711209086,
      0.000015252733493127489347, 1.3215435282308487999e-6, 1.0178199571842137974e-7,
      7.0737832485031332991e-9,   4.4347712982003767083e-10};
  static constexpr double ln2_high = 0.693145751953125;
  static constexpr double ln2_low = 1.42860682030941723212e-6;
  static constexpr double lowest = -708.396418532264106224;
  static constexpr double highest = 709.782712893383973096;
  static constexpr double lowest_power = -1022;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
