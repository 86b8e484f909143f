#pragma once

#include <array>
#include <attn/core/tensor.hpp>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <numbers>

namespace attn {
inline namespace ATTN_ABI {

/// Philox4x32-10: 128 random bits as a pure function of a counter and a key.
/// [Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011]
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0],
                        b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Block number `counter` of a seed's stream.
constexpr std::array<std::uint32_t, 4> philox_block(std::uint64_t seed, std::uint64_t counter) {
  const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  const auto high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
  return philox4x32({low(counter), high(counter), 0, 0}, {low(seed), high(seed)});
}

/// √(−2 ln u) · cos 2πv, standard normal for independent uniform u and v. [Box, Muller 1958]
/// u = (⌊radius / 2¹¹⌋ + 1) / 2⁵³ is never 0; v = ⌊angle / 2⁸⌋ / 2⁵⁶.
/// Numerics: 2πv in double has lost the digits that count where the cosine is near 0. So v is
/// folded to an eighth of a turn as an integer, exactly, and what rounding takes from the angle and
/// from the root is put back at first order. Within 2 ulp.
inline double box_muller(std::uint64_t radius, std::uint64_t angle) {
  const double s = -2 * std::log(static_cast<double>((radius >> 11) + 1) * 0x1p-53);
  const double r = std::sqrt(s), r_low = r > 0 ? std::fma(-r, r, s) / (2 * r) : 0;

  const auto octant = static_cast<unsigned>(angle >> 61);
  const std::uint64_t whole = std::uint64_t{1} << 53, part = (angle >> 8) % whole;
  const double x = static_cast<double>(octant % 2 == 0 ? part : whole - part) *
                   0x1p-53;  // to the nearest axis, in eighths of a turn
  constexpr double eighth = std::numbers::pi / 4,
                   eighth_low = 3.061616997868383e-17;  // π/4 in two pieces
  const double phi = eighth * x, phi_low = std::fma(eighth, x, -phi) + eighth_low * x;
  const bool sine = octant % 4 == 1 || octant % 4 == 2, negative = octant >= 2 && octant < 6;
  const double sin = std::sin(phi), cos = std::cos(phi);
  const double c = sine ? sin : cos, c_low = sine ? phi_low * cos : -phi_low * sin;

  const double z = std::fma(r, c, std::fma(r, c_low, r_low * c));
  return negative ? -z : z;
}

/// Random numbers: `Random random{7}`. Draw number n is a pure function of the seed and n, so that
/// the two numbers below are the whole state: copy them to remember a place, write them to a file
/// to go on later. Float and double are drawn from the same bits and agree up to the rounding. A
/// fill draws one number for each element, in row-major order. Bits, uniform numbers and indices
/// are the same on every platform; normal ones are within 2 ulp (before the rounding to float).
struct Random {
  std::uint64_t seed = 0;
  std::uint64_t counter = 0;  ///< the number of draws so far

  /// 64 random bits.
  std::uint64_t bits() { return draw()[0]; }

  /// In [0, 1), a multiple of 2⁻⁵³ for double, and that cut off to a multiple of 2⁻²⁴ for float.
  template <std::floating_point T>
  T uniform() {
    constexpr int digits = std::numeric_limits<T>::digits;
    static_assert(digits <= 53, "uniform numbers are float or double");
    constexpr T step = 1 / static_cast<T>(std::uint64_t{1} << digits);
    return static_cast<T>(bits() >> (64 - digits)) * step;
  }

  /// Standard normal, finite.
  template <std::floating_point T>
  T normal() {
    const auto [radius, angle] = draw();
    return static_cast<T>(box_muller(radius, angle));
  }

  /// In [0, n), each as likely as the others. Errors: OptionError if n < 1.
  Index index(Index n) {
    if (n < 1)
      throw OptionError("Random: index(" + std::to_string(n) + ") needs at least 1 to choose from");
    const auto range = static_cast<std::uint64_t>(n),
               surplus = (~range + 1) % range;  // 2⁶⁴ mod n words would favour small indices
    for (;;)
      if (const std::uint64_t word = bits(); word >= surplus)
        return static_cast<Index>(word % range);
  }

  /// Every element uniform in [lo, hi). Errors: OptionError if lo > hi or if hi − lo is not finite.
  template <class T, int N>
  void uniform(const TensorView<T, N>& to, double lo = 0, double hi = 1) {
    if (!(lo <= hi) || !std::isfinite(hi - lo))
      throw OptionError("Random: uniform numbers from " + std::to_string(lo) + " to " +
                        std::to_string(hi) + " need a finite range");
    const T end = static_cast<T>(hi), last = std::nextafter(end, static_cast<T>(lo));
    fill(to, [&] {
      const T value = static_cast<T>(std::fma(hi - lo, static_cast<double>(uniform<T>()), lo));
      return value < end ? value : last;  // rounding may reach hi
    });
  }
  template <class T, int N>
  void uniform(Tensor<T, N>& to, double lo = 0, double hi = 1) {
    uniform(to.view(), lo, hi);
  }

  /// Every element normal. Errors: OptionError if the standard deviation is negative or if either
  /// is not finite.
  template <class T, int N>
  void normal(const TensorView<T, N>& to, double mean = 0, double standard_deviation = 1) {
    if (!std::isfinite(mean) || !std::isfinite(standard_deviation) || standard_deviation < 0)
      throw OptionError("Random: normal numbers of mean " + std::to_string(mean) +
                        " and standard deviation " + std::to_string(standard_deviation) +
                        " need both finite and the deviation at least 0");
    fill(to, [&] { return static_cast<T>(std::fma(standard_deviation, normal<double>(), mean)); });
  }
  template <class T, int N>
  void normal(Tensor<T, N>& to, double mean = 0, double standard_deviation = 1) {
    normal(to.view(), mean, standard_deviation);
  }

 private:
  std::array<std::uint64_t, 2> draw() {
    const std::array<std::uint32_t, 4> block = philox_block(seed, counter++);
    return {block[0] | std::uint64_t{block[1]} << 32, block[2] | std::uint64_t{block[3]} << 32};
  }

  template <class T, int N, class Next>
  static void fill(const TensorView<T, N>& to, const Next& next) {
    for (Index i = 0; i < to.shape()[0]; ++i) {
      if constexpr (N == 1) to(i) = next();
      else fill(to[i], next);
    }
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
