#pragma once

#include <array>
#include <attn/core/config.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace attn {
inline namespace ATTN_ABI {

/// What the numbers of a file are, by increasing alignment. (The format's names in capitals: BF16
/// is Dtype::bf16.)
enum class Dtype { boolean, u8, i8, i16, f16, bf16, i32, f32, f64, i64 };

inline constexpr std::array<std::string_view, 10> dtype_names{"BOOL", "U8",  "I8",  "I16", "F16",
                                                              "BF16", "I32", "F32", "F64", "I64"};

inline std::string to_string(Dtype dtype) {
  return std::string(dtype_names[static_cast<std::size_t>(dtype)]);
}

inline std::optional<Dtype> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < dtype_names.size(); ++i)
    if (dtype_names[i] == name) return static_cast<Dtype>(i);
  return std::nullopt;
}

/// Calls f with a number of the C++ type that holds such values: `with_type(dtype, []<class T>(T) {
/// … })`.
template <class F>
decltype(auto) with_type(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::boolean: return f(bool{});
    case Dtype::u8: return f(std::uint8_t{});
    case Dtype::i8: return f(std::int8_t{});
    case Dtype::i16: return f(std::int16_t{});
    case Dtype::f16: return f(Eigen::half{});
    case Dtype::bf16: return f(Eigen::bfloat16{});
    case Dtype::i32: return f(std::int32_t{});
    case Dtype::f32: return f(float{});
    case Dtype::f64: return f(double{});
    case Dtype::i64: break;
  }
  return f(std::int64_t{});
}

/// Bytes of one number.
inline Index size_of(Dtype dtype) {
  return with_type(dtype, []<class T>(T) { return static_cast<Index>(sizeof(T)); });
}

/// The type of a C++ number, where a file has such a one: other unsigned integers than U8 it has
/// not.
template <class T>
constexpr std::optional<Dtype> dtype_if_any() {
  constexpr bool integer =
      std::signed_integral<T> && !std::is_same_v<T, char> && !std::is_same_v<T, wchar_t>;
  if (std::is_same_v<T, bool>) return Dtype::boolean;
  if (std::is_same_v<T, std::uint8_t>) return Dtype::u8;
  if (std::is_same_v<T, Eigen::half>) return Dtype::f16;
  if (std::is_same_v<T, Eigen::bfloat16>) return Dtype::bf16;
  if (std::is_same_v<T, float>) return Dtype::f32;
  if (std::is_same_v<T, double>) return Dtype::f64;
  if (integer && sizeof(T) == 1) return Dtype::i8;
  if (integer && sizeof(T) == 2) return Dtype::i16;
  if (integer && sizeof(T) == 4) return Dtype::i32;
  if (integer && sizeof(T) == 8) return Dtype::i64;
  return std::nullopt;
}
template <class T>
concept Storable = dtype_if_any<T>().has_value();
template <Storable T>
constexpr Dtype dtype_of = *dtype_if_any<T>();

/// One number from bytes at any address. A BOOL is false where its byte is 0, and true otherwise.
template <Storable T>
T load_number(const std::byte* from) {
  if constexpr (std::is_same_v<T, bool>) {
    return *from != std::byte{0};
  } else {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
}

}  // namespace ATTN_ABI
}  // namespace attn
