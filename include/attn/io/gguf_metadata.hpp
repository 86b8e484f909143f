#pragma once

#include <attn/io/file_values.hpp>
#include <attn/io/gguf_value.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

template <class T>
concept GgufText = std::same_as<T, std::string> || std::same_as<T, std::string_view>;
template <class T>
concept GgufNumber = std::is_arithmetic_v<T> && Storable<T>;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// "I64", "STRING", or "I64[]" of a vector: a C++ type in the words of `GgufValue::type`.
template <class T>
std::string gguf_type_name() {
  if constexpr (is_vector<T>) return gguf_type_name<typename T::value_type>() + "[]";
  else if constexpr (GgufText<T>) return "STRING";
  else return to_string(dtype_of<T>);
}

/// Whether elements of this type are read as T: strings as text, bools as bool, integers as
/// integers and in floating point, and floating-point values in floating point.
template <class T>
bool is_gguf_type_for(std::optional<Dtype> dtype) {
  if constexpr (GgufText<T>) {
    return !dtype;
  } else {
    return dtype && with_type(*dtype, []<class Stored>(Stored) {
             if (std::is_same_v<T, bool> || std::is_same_v<Stored, bool>)
               return std::is_same_v<T, Stored>;
             return std::is_floating_point_v<T> || std::is_integral_v<Stored>;
           });
  }
}

/// Calls `add` with each element as a Stored, converted to T.
template <class Stored, class T, class Add>
void read_gguf_numbers(const GgufValue& value, const std::string& where, const Add& add) {
  for (std::size_t i = 0; i < value.count; ++i) {
    std::array<std::byte, sizeof(Stored)> bytes;
    std::ranges::copy(value.bytes.subspan(i * sizeof(Stored), sizeof(Stored)), bytes.begin());
    if (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
    const auto stored = load_value<Stored>(bytes.data());
    const std::optional<T> converted = convert<T>(stored);
    if (!converted) refuse_value<T>(stored, to_string(*value.dtype), i, where);
    add(*converted);
  }
}

/// Calls `add` with each element as a T.
/// Errors: FileError, a sentence that begins with `where`.
template <class T, class Add>
void read_gguf_elements(const GgufValue& value, const std::string& where, const Add& add) {
  if constexpr (GgufText<T>) {
    GgufReader reader(value.bytes, where);
    for (std::size_t i = 0; i < value.count; ++i) add(T(reader.string("a string")));
  } else {
    with_type(*value.dtype,
              [&]<class Stored>(Stored) { read_gguf_numbers<Stored, T>(value, where, add); });
  }
}

}  // namespace detail

/// What a GGUF file's metadata are read as: bool, an integer, float, double, a std::string, a
/// std::string_view into the file, or a std::vector of these.
template <class T>
concept GgufMetadata = detail::GgufText<T> || detail::GgufNumber<T> ||
                       (detail::is_vector<T> && (detail::GgufText<typename T::value_type> ||
                                                 detail::GgufNumber<typename T::value_type>));

namespace detail {

/// A value, or an array of them, as a T.
/// Errors: FileError if it is of another type or T cannot hold it, a sentence that begins with
/// `where`.
template <GgufMetadata T>
T gguf_value_as(const GgufValue& value, const std::string& where) {
  const auto expect = [&](bool is_right) {
    if (!is_right)
      throw FileError(where + " has the type " + value.type() + ", but was asked for as " +
                      gguf_type_name<T>());
  };
  T result{};
  if constexpr (is_vector<T>) {
    using Element = typename T::value_type;
    expect(value.is_array && is_gguf_type_for<Element>(value.dtype));
    result.reserve(value.count);
    read_gguf_elements<Element>(value, where, [&](Element e) { result.push_back(std::move(e)); });
  } else {
    expect(!value.is_array && is_gguf_type_for<T>(value.dtype));
    read_gguf_elements<T>(value, where, [&](T element) { result = std::move(element); });
  }
  return result;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
