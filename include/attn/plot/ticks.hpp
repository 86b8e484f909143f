#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// A closed range of values.
struct Range {
  double low = 0, high = 1;

  friend bool operator==(const Range&, const Range&) = default;
};

/// Where v lies in the range: 0 at its low end, 1 at its high end.
/// Numerics: high − low of the whole double range overflows; halves do not.
inline double share_of(const Range& range, double v) {
  const double span = range.high - range.low;
  return std::isfinite(span) ? (v - range.low) / span
                             : (v / 2 - range.low / 2) / (range.high / 2 - range.low / 2);
}

/// A mark on an axis; a minor one has no label.
struct Tick {
  double value = 0;
  std::string label{};
};

namespace detail {

/// printf's number for the eye: 2e−8 for 2e-08, with a true minus sign.
inline std::string number(const char* format, int digits, double value) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, format, digits, value);
  std::string text = buffer;
  if (const std::size_t e = text.find('e'); e != std::string::npos)
    text = text.substr(0, e + 1) + std::to_string(std::atoi(text.c_str() + e + 1));
  for (std::size_t at = 0; (at = text.find('-', at)) != std::string::npos;)
    text.replace(at, 1, "−");
  return text;
}

}  // namespace detail

/// Round values (1, 2 or 5 times a power of ten apart) within the range, about `count` of them and
/// never more than count + 1. Labels show as many digits as tell neighbours apart. A range too
/// narrow for that gives its two ends.
inline std::vector<Tick> linear_ticks(const Range& range, int count) {
  const double most = std::max(std::abs(range.low), std::abs(range.high)),
               rough = range.high / count - range.low / count;
  if (!(rough > most * 1e-12) || rough < 1e-300)
    return {{range.low, detail::number("%.*g", 6, range.low)},
            {range.high, detail::number("%.*g", 6, range.high)}};

  const double power = std::floor(std::log10(rough));
  double step = 10 * std::pow(10, power);
  for (const double nice : {5.0, 2.0, 1.0})
    if (nice * std::pow(10, power) >= rough * (1 - 1e-9)) step = nice * std::pow(10, power);

  std::vector<Tick> ticks;
  const double unit = std::floor(std::log10(step) + 1e-9);
  for (double k = std::ceil(range.low / step - 1e-6); k <= std::floor(range.high / step + 1e-6);
       ++k) {
    const double value = k == 0 ? 0.0 : k * step;
    const bool plain = value == 0 || (most >= 1e-3 && most < 1e6);
    const double digits =
        plain ? (most >= 1e-3 ? -unit : 0) : std::floor(std::log10(std::abs(value)) + 1e-9) - unit;
    ticks.push_back({value, detail::number(plain ? "%.*f" : "%.*e",
                                           static_cast<int>(std::max(0.0, digits)), value)});
  }
  return ticks;
}

/// Powers of the base (2 or 10) within the range, at most about `count` labelled. Base 10 has minor
/// ticks at 2 to 9 times a power; where fewer than two powers fit, these at 1, 2 and 5 are
/// labelled.
inline std::vector<Tick> log_ticks(const Range& range, int base, int count) {
  std::vector<Tick> ticks;
  const double low = std::log(range.low) / std::log(base),
               high = std::log(range.high) / std::log(base);
  const double first = std::floor(low - 1e-9), last = std::ceil(high + 1e-9),
               whole = std::floor(high + 1e-9) - std::ceil(low - 1e-9) + 1;
  const double stride = std::max(1.0, std::ceil((high - low) / count));
  for (double power = first; power <= last; ++power)
    for (int multiple = 1; multiple < base; ++multiple) {
      const double value = multiple * std::pow(base, power), at = std::log(value) / std::log(base);
      if (at < low - 1e-9 || at > high + 1e-9 || (stride > 1 && multiple > 1) ||
          (stride > 3 && std::fmod(power, stride) != 0))
        continue;
      const bool labelled = multiple == 1 ? std::fmod(power, stride) == 0
                                          : whole < 2 && (multiple == 2 || multiple == 5);
      const bool plain = value < 1e6 && value > 1e-4;
      ticks.push_back({value, !labelled ? ""
                              : plain   ? detail::number("%.*g", 7, value)
                                        : detail::number(base == 10 ? "%.*e" : "%.*g",
                                                       base == 10 ? 0 : 3, value)});
    }
  return ticks;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
