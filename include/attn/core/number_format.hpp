#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <charconv>
#include <cmath>
#include <concepts>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// How NumPy formats the values of one array. All have the same width and are aligned at the
/// decimal point. They have the fewest digits that distinguish a value from its neighbors, but at
/// most 8 after the point. All have an exponent if one value is too large or too small, or if they
/// differ too much. The format is computed from all values that are shown.
template <class T>
class NumberFormat {
 public:
  explicit NumberFormat(const std::vector<T>& values) {
    if constexpr (std::floating_point<T>) {
      choose_notation(values);
      measure(values);
    } else if constexpr (!std::same_as<T, bool>) {
      for (const T value : values) integer_ = std::max(integer_, std::to_string(value).size());
    }
  }

  std::string operator()(T value) const {
    if constexpr (std::same_as<T, bool>) {
      return value ? " True" : "False";
    } else if constexpr (std::integral<T>) {
      return padded(std::to_string(value), integer_);
    } else {
      if (!std::isfinite(value)) return padded(special(value), width());
      Parts parts = split(value, scientific_ ? fraction_ : 0);
      parts.fraction.resize(fraction_, ' ');
      if (scientific_) parts.exponent.insert(2, exponent_ - parts.exponent.size(), '0');
      return padded(parts.integer, integer_) + '.' + parts.fraction + parts.exponent;
    }
  }

 private:
  static constexpr int precision = 8;

  /// "-12" . "5", or "-1" . "25" "e+01".
  struct Parts {
    std::string integer, fraction, exponent;
  };

  std::size_t width() const { return integer_ + 1 + fraction_ + exponent_; }

  void choose_notation(const std::vector<T>& values) {
    T largest = 0;
    T smallest = std::numeric_limits<T>::max();
    for (const T value : values) {
      if (!std::isfinite(value) || value == 0) continue;
      largest = std::max(largest, std::abs(value));
      smallest = std::min(smallest, std::abs(value));
    }
    // NumPy's limit is 10^min(8, digits10), which is 10^6 for float.
    const T too_large = std::numeric_limits<T>::digits10 < precision ? T(1e6) : T(1e8);
    scientific_ =
        largest > 0 && (largest >= too_large || smallest < T(0.0001) || largest / smallest > 1000);
  }

  void measure(const std::vector<T>& values) {
    for (const T value : values) {
      if (!std::isfinite(value)) continue;
      const Parts parts = split(value);
      integer_ = std::max(integer_, parts.integer.size());
      fraction_ = std::max(fraction_, parts.fraction.size());
      exponent_ = std::max(exponent_, parts.exponent.size());
    }
    for (const T value : values)
      if (!std::isfinite(value))
        while (width() < special(value).size()) ++integer_;
  }

  /// The value with the fewest digits after the point that determine it, but at most `precision`
  /// and at least `at_least` digits.
  Parts split(T value, std::size_t at_least = 0) const {
    Parts parts = written(value);
    if (parts.fraction.size() > precision) {
      parts = written(value, precision);
      parts.fraction.erase(parts.fraction.find_last_not_of('0') + 1);
    }
    if (parts.fraction.size() < at_least) parts = written(value, static_cast<int>(at_least));
    return parts;
  }

  /// With as many digits after the point as given; with none given, as many as determine the value.
  template <class... Digits>
  Parts written(T value, Digits... digits) const {
    char buffer[64];
    const auto format = scientific_ ? std::chars_format::scientific : std::chars_format::fixed;
    const std::to_chars_result end =
        std::to_chars(buffer, std::end(buffer), value, format, digits...);
    const std::string text(buffer, end.ptr);
    const std::size_t exponent = std::min(text.find('e'), text.size());
    const std::size_t point = std::min(text.find('.'), exponent);
    const std::size_t fraction = std::min(point + 1, exponent);
    return {text.substr(0, point), text.substr(fraction, exponent - fraction),
            text.substr(exponent)};
  }

  static std::string special(T value) {
    if (std::isnan(value)) return "nan";
    return value < 0 ? "-inf" : "inf";
  }
  static std::string padded(const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
  }

  bool scientific_ = false;
  // Widths.
  std::size_t integer_ = 0, fraction_ = 0, exponent_ = 0;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
