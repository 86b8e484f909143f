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

/// The type of a tensor's elements in a file, ordered by increasing alignment. A file spells them
/// in capitals: BF16 is Dtype::bf16, BOOL is Dtype::boolean.
enum class Dtype { boolean, u8, i8, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64 };

namespace detail {

/// The file's spelling of every Dtype, in the same order.
inline constexpr std::array<std::string_view, 13> dtype_names{
    "BOOL", "U8", "I8", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64"};

inline std::optional<Dtype> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < dtype_names.size(); ++i)
    if (dtype_names[i] == name) return static_cast<Dtype>(i);
  return std::nullopt;
}

/// "BOOL, U8, I8, …", as an error lists what is supported.
inline std::string supported_dtypes() {
  std::string list;
  for (const std::string_view name : dtype_names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

/// Calls f with a value of the C++ type that holds such elements:
/// `with_type(dtype, []<class T>(T) { … })`.
template <class F>
decltype(auto) with_type(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::boolean: return f(bool{});
    case Dtype::u8: return f(std::uint8_t{});
    case Dtype::i8: return f(std::int8_t{});
    case Dtype::i16: return f(std::int16_t{});
    case Dtype::u16: return f(std::uint16_t{});
    case Dtype::f16: return f(Eigen::half{});
    case Dtype::bf16: return f(Eigen::bfloat16{});
    case Dtype::i32: return f(std::int32_t{});
    case Dtype::u32: return f(std::uint32_t{});
    case Dtype::f32: return f(float{});
    case Dtype::f64: return f(double{});
    case Dtype::i64: return f(std::int64_t{});
    case Dtype::u64: break;
  }
  return f(std::uint64_t{});
}

/// Bytes of one element.
inline Index size_of(Dtype dtype) {
  return with_type(dtype, []<class T>(T) { return static_cast<Index>(sizeof(T)); });
}

/// An integer, as opposed to a bool or a character.
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                  !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                  !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// The Dtype of a C++ type, if files have one. Integers are told apart by their size and sign, so
/// that `long` and `long long` are both I64.
template <class T>
constexpr std::optional<Dtype> dtype_if_any() {
  if (std::same_as<T, bool>) return Dtype::boolean;
  if (std::same_as<T, Eigen::half>) return Dtype::f16;
  if (std::same_as<T, Eigen::bfloat16>) return Dtype::bf16;
  if (std::same_as<T, float>) return Dtype::f32;
  if (std::same_as<T, double>) return Dtype::f64;
  if (!Integer<T>) return std::nullopt;
  switch (sizeof(T)) {
    case 1: return std::is_signed_v<T> ? Dtype::i8 : Dtype::u8;
    case 2: return std::is_signed_v<T> ? Dtype::i16 : Dtype::u16;
    case 4: return std::is_signed_v<T> ? Dtype::i32 : Dtype::u32;
    case 8: return std::is_signed_v<T> ? Dtype::i64 : Dtype::u64;
    default: return std::nullopt;
  }
}

}  // namespace detail

inline std::string to_string(Dtype dtype) {
  return std::string(detail::dtype_names[static_cast<std::size_t>(dtype)]);
}

/// A C++ type whose values can be written into a file: bool, an integer, Eigen::half,
/// Eigen::bfloat16, float or double.
template <class T>
concept Storable = detail::dtype_if_any<T>().has_value();
template <Storable T>
constexpr Dtype dtype_of = *detail::dtype_if_any<T>();

namespace detail {

/// One value from bytes at any address. A BOOL is false where its byte is 0, and true otherwise.
template <Storable T>
T load_value(const std::byte* from) {
  if constexpr (std::is_same_v<T, bool>) {
    return *from != std::byte{0};
  } else {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
