#pragma once

#include <attn/core/option.hpp>
#include <attn/core/philox.hpp>
#include <attn/core/tensor.hpp>
#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// √(−2 ln u) · cos 2πv, standard normal for independent uniform u and v. [Box, Muller 1958]
/// u = (⌊radius / 2¹¹⌋ + 1) / 2⁵³ is never 0; v = ⌊angle / 2⁸⌋ / 2⁵⁶.
/// Numerics: 2πv in double has lost the digits that count where the cosine is near 0. So v is
/// folded to an eighth of a turn as an integer, exactly, and what rounding takes from the angle and
/// from the root is added again at first order. Within 2 ulp.
inline double box_muller(std::uint64_t radius, std::uint64_t angle) {
  const double s = -2 * std::log(static_cast<double>((radius >> 11) + 1) * 0x1p-53);
  const double r = std::sqrt(s);
  const double r_low = r > 0 ? std::fma(-r, r, s) / (2 * r) : 0;

  // The distance to the nearest axis, in eighths of a turn.
  const auto octant = static_cast<unsigned>(angle >> 61);
  const std::uint64_t one = std::uint64_t{1} << 53;
  const std::uint64_t part = (angle >> 8) % one;
  const double x = static_cast<double>(octant % 2 == 0 ? part : one - part) * 0x1p-53;

  // π/4 in two parts, and the angle in radians likewise.
  constexpr double eighth = std::numbers::pi / 4;
  constexpr double eighth_low = 3.061616997868383e-17;
  const double phi = eighth * x;
  const double phi_low = std::fma(eighth, x, -phi) + eighth_low * x;

  const double sin = std::sin(phi);
  const double cos = std::cos(phi);
  const bool is_sine = octant % 4 == 1 || octant % 4 == 2;
  const double c = is_sine ? sin : cos;
  const double c_low = is_sine ? phi_low * cos : -phi_low * sin;

  const double z = std::fma(r, c, std::fma(r, c_low, r_low * c));
  const bool is_negative = octant >= 2 && octant < 6;
  return is_negative ? -z : z;
}

}  // namespace detail

/// Random numbers: `Random random{7}`. Draw i is a pure function of the seed and i, so that `seed`
/// and `counter` are the whole state: copy them to draw the same values again, or write them to a
/// file to resume later. Float and double are made from the same draws and agree up to rounding. A
/// fill draws once for each element, in row-major order. Bits, uniform values and indices are the
/// same on every platform; normal values are within 2 ulp (before they are rounded to float).
struct Random {
  std::uint64_t seed = 0;
  std::uint64_t counter = 0;  ///< draws so far

  /// 64 random bits.
  std::uint64_t bits() { return draw()[0]; }

  /// In [0, 1): a multiple of 2⁻⁵³ for double, and that truncated to a multiple of 2⁻²⁴ for float.
  template <std::floating_point T>
  T uniform() {
    constexpr int digits = std::numeric_limits<T>::digits;
    static_assert(digits <= 53, "uniform values are float or double");
    constexpr T unit = 1 / static_cast<T>(std::uint64_t{1} << digits);
    return static_cast<T>(bits() >> (64 - digits)) * unit;
  }

  /// Standard normal, finite.
  template <std::floating_point T>
  T normal() {
    const auto [radius, angle] = draw();
    return static_cast<T>(detail::box_muller(radius, angle));
  }

  /// In [0, n), each index with the same probability. Errors: OptionError if n < 1.
  Index index(Index n) {
    expect_option(n >= 1, "Random::index", "n", n, "at least 1");
    const auto range = static_cast<std::uint64_t>(n);
    // The first 2⁶⁴ mod n words are rejected: they would make small indices more probable.
    const std::uint64_t surplus = (~range + 1) % range;
    for (;;)
      if (const std::uint64_t word = bits(); word >= surplus)
        return static_cast<Index>(word % range);
  }

  /// Fills a tensor with uniform values in [lo, hi).
  /// Errors: OptionError if lo > hi or if hi − lo is not finite.
  template <class T, int N>
  void uniform(const TensorView<T, N>& output, double lo = 0, double hi = 1) {
    expect_option(lo <= hi && std::isfinite(hi - lo), "Random::uniform", "hi - lo", hi - lo,
                  "finite and at least 0");
    const T end = static_cast<T>(hi);
    const T last = std::nextafter(end, static_cast<T>(lo));
    fill(output, [&] {
      const T value = static_cast<T>(std::fma(hi - lo, static_cast<double>(uniform<T>()), lo));
      return value < end ? value : last;  // rounding may give hi
    });
  }
  template <class T, int N>
  void uniform(Tensor<T, N>& output, double lo = 0, double hi = 1) {
    uniform(output.view(), lo, hi);
  }

  /// Fills a tensor with normal values. Errors: OptionError if the standard deviation is negative
  /// or if either parameter is not finite.
  template <class T, int N>
  void normal(const TensorView<T, N>& output, double mean = 0, double standard_deviation = 1) {
    expect_option(std::isfinite(mean), "Random::normal", "mean", mean, "finite");
    expect_option(std::isfinite(standard_deviation) && standard_deviation >= 0, "Random::normal",
                  "standard_deviation", standard_deviation, "finite and at least 0");
    fill(output,
         [&] { return static_cast<T>(std::fma(standard_deviation, normal<double>(), mean)); });
  }
  template <class T, int N>
  void normal(Tensor<T, N>& output, double mean = 0, double standard_deviation = 1) {
    normal(output.view(), mean, standard_deviation);
  }

 private:
  std::array<std::uint64_t, 2> draw() {
    const std::array<std::uint32_t, 4> block = detail::philox_block(seed, counter++);
    return {block[0] | std::uint64_t{block[1]} << 32, block[2] | std::uint64_t{block[3]} << 32};
  }

  template <class T, int N, class Next>
  static void fill(const TensorView<T, N>& output, const Next& next) {
    for (Index i = 0; i < output.shape()[0]; ++i) {
      if constexpr (N == 1) output(i) = next();
      else fill(output[i], next);
    }
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
