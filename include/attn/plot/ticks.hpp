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

namespace detail {

/// The position of v in the range: 0 at its low end, 1 at its high end.
/// Numerics: high − low overflows for the whole range of double; the difference of halves does not.
inline double fraction_of(const Range& range, double v) {
  const double span = range.high - range.low;
  return std::isfinite(span) ? (v - range.low) / span
                             : (v / 2 - range.low / 2) / (range.high / 2 - range.low / 2);
}

/// A mark on an axis. A minor tick has no label.
struct Tick {
  double value = 0;
  std::string label{};
};

/// A number as printf writes it, made readable: 2e−8 for 2e-08, with a true minus sign.
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

/// Round values within the range, 1, 2 or 5 times a power of ten apart, about `count` of them and
/// never more than count + 1. Labels have as many digits as tell neighbors apart. A range that is
/// too narrow for that has ticks at its two ends.
inline std::vector<Tick> linear_ticks(const Range& range, int count) {
  const double most = std::max(std::abs(range.low), std::abs(range.high));
  const double rough = range.high / count - range.low / count;
  if (!(rough > most * 1e-12) || rough < 1e-300)
    return {{range.low, number("%.*g", 6, range.low)}, {range.high, number("%.*g", 6, range.high)}};

  const double power = std::floor(std::log10(rough));
  double spacing = 10 * std::pow(10, power);
  for (const double nice : {5.0, 2.0, 1.0})
    if (nice * std::pow(10, power) >= rough * (1 - 1e-9)) spacing = nice * std::pow(10, power);

  std::vector<Tick> ticks;
  const double unit = std::floor(std::log10(spacing) + 1e-9);
  const double last = std::floor(range.high / spacing + 1e-6);
  for (double k = std::ceil(range.low / spacing - 1e-6); k <= last; ++k) {
    const double value = k == 0 ? 0.0 : k * spacing;
    const bool plain = value == 0 || (most >= 1e-3 && most < 1e6);
    const double digits =
        plain ? (most >= 1e-3 ? -unit : 0) : std::floor(std::log10(std::abs(value)) + 1e-9) - unit;
    ticks.push_back(
        {value, number(plain ? "%.*f" : "%.*e", static_cast<int>(std::max(0.0, digits)), value)});
  }
  return ticks;
}

/// The label of a tick on a logarithmic axis.
inline std::string power_label(double value, int base) {
  if (value < 1e6 && value > 1e-4) return number("%.*g", 7, value);
  return base == 10 ? number("%.*e", 0, value) : number("%.*g", 3, value);
}

/// Powers of the base (2 or 10) within the range, of which about `count` are labeled. Base 10 has
/// minor ticks at 2 to 9 times a power. Where fewer than two powers fit, the ticks at 2 and 5 times
/// a power have labels, too. A range that is too narrow for two labels has the ticks of a linear
/// axis.
inline std::vector<Tick> log_ticks(const Range& range, int base, int count) {
  std::vector<Tick> ticks;
  const double low = std::log(range.low) / std::log(base);
  const double high = std::log(range.high) / std::log(base);
  const double first = std::floor(low - 1e-9);
  const double last = std::ceil(high + 1e-9);
  const double powers = std::floor(high + 1e-9) - std::ceil(low - 1e-9) + 1;
  const double stride = std::max(1.0, std::ceil((high - low) / count));
  for (double power = first; power <= last; ++power)
    for (int multiple = 1; multiple < base; ++multiple) {
      const double value = multiple * std::pow(base, power);
      const double at = std::log(value) / std::log(base);
      const bool is_power = multiple == 1;
      const bool is_on_stride = std::fmod(power, stride) == 0;
      if (at < low - 1e-9 || at > high + 1e-9) continue;
      if ((stride > 1 && !is_power) || (stride > 3 && !is_on_stride)) continue;
      const bool is_labeled =
          is_power ? is_on_stride : powers < 2 && (multiple == 2 || multiple == 5);
      ticks.push_back({value, is_labeled ? power_label(value, base) : ""});
    }
  const auto labels = std::count_if(ticks.begin(), ticks.end(),
                                    [](const Tick& tick) { return !tick.label.empty(); });
  return labels < 2 ? linear_ticks(range, count) : ticks;
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
