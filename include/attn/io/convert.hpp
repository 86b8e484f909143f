#pragma once

#include <attn/io/dtype.hpp>
#include <cmath>
#include <limits>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The value of `from` as a To, or nothing where its meaning would be lost. A floating-point value
/// may be rounded to a narrower type; NaN and infinities stay. Everything else keeps its value
/// exactly: no fraction is cut, no integer wraps or is rounded (2⁵³ + 1 is no double, and an id
/// that changes is another id), and no finite value becomes infinite. As a bool, a U8 is true where
/// it is not 0; of other types only 0 and 1 are bools.
template <class To, class From>
std::optional<To> convert(From from) {
  static_assert(std::is_arithmetic_v<To>, "values are read as bool, an integer, float or double");
  if constexpr (std::is_same_v<From, Eigen::half> || std::is_same_v<From, Eigen::bfloat16>) {
    return convert<To>(static_cast<float>(from));
  } else if constexpr (std::is_same_v<From, To>) {
    return from;
  } else if constexpr (std::is_same_v<From, bool>) {
    return static_cast<To>(from ? 1 : 0);
  } else if constexpr (std::is_same_v<To, bool>) {
    if (from != From{0} && from != From{1} && !std::is_same_v<From, std::uint8_t>)
      return std::nullopt;
    return from != From{0};
  } else if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    if (!std::in_range<To>(from)) return std::nullopt;
    return static_cast<To>(from);
  } else if constexpr (std::is_integral_v<To>) {
    // 2^digits is the first value above every To; for a signed To, −2^digits is the lowest value.
    const From bound = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    const From lowest = std::is_signed_v<To> ? -bound : From{0};
    if (!(from >= lowest && from < bound && std::trunc(from) == from)) return std::nullopt;
    return static_cast<To>(from);
  } else {
    const To to = static_cast<To>(from);
    if constexpr (std::is_integral_v<From>) {
      if (convert<From>(to) != from) return std::nullopt;
    } else {
      if (std::isinf(to) && !std::isinf(from)) return std::nullopt;
    }
    return to;
  }
}

/// Whether every From can be read as a To: they are the same type, or a floating-point type that is
/// not wider.
template <class To, class From>
constexpr bool is_always_kept =
    std::is_same_v<To, From> ||
    (std::is_floating_point_v<To> && !std::is_integral_v<From> && sizeof(From) <= sizeof(To));

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
