#pragma once

#include <attn/io/dtype.hpp>
#include <attn/io/gguf_reader.hpp>
#include <map>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A value of a GGUF file's metadata, or an array of them, as it lies in the file.
struct GgufValue {
  std::optional<Dtype> dtype;  ///< of numbers and bools; strings have none
  bool is_array;
  std::size_t count;  ///< 1, or the length of the array
  std::span<const std::byte> bytes;

  /// "U32", "STRING", or "U32[3]" of an array.
  std::string type() const {
    const std::string name = dtype ? to_string(*dtype) : "STRING";
    return is_array ? name + "[" + std::to_string(count) + "]" : name;
  }
};

using GgufKeyValues = std::map<std::string_view, GgufValue>;

/// What the format's numbers of types stand for; 8 is a string and 9 an array.
inline constexpr std::array<std::optional<Dtype>, 13> gguf_value_dtypes{
    Dtype::u8,      Dtype::i8,    Dtype::u16,   Dtype::i16, Dtype::u32, Dtype::i32, Dtype::f32,
    Dtype::boolean, std::nullopt, std::nullopt, Dtype::u64, Dtype::i64, Dtype::f64};
inline constexpr std::uint32_t gguf_array = 9;

inline std::uint32_t read_gguf_value_type(GgufReader& reader, const char* part) {
  const auto type = reader.integer<std::uint32_t>(part);
  if (type >= gguf_value_dtypes.size())
    reader.fail(reader.text_of(part) + " must be a number from 0 to 12, not " +
                std::to_string(type));
  return type;
}

/// Reads a value after its type, and checks that all of it is there and that a BOOL is 0 or 1. An
/// array of arrays is refused, as it is by the reference implementation.
/// Cost: nothing is copied; an array of strings is passed over string by string.
inline GgufValue read_gguf_value(GgufReader& reader) {
  std::uint32_t type = read_gguf_value_type(reader, "the type");
  const bool is_array = type == gguf_array;
  std::uint64_t count = 1;
  if (is_array) {
    type = read_gguf_value_type(reader, "the element type");
    if (type == gguf_array) reader.fail(reader.subject() + " must not be an array of arrays");
    count = reader.integer<std::uint64_t>("the number of elements");
  }
  const std::optional<Dtype> dtype = gguf_value_dtypes[type];
  const auto rest = reader.rest();
  const std::size_t least = dtype ? static_cast<std::size_t>(size_of(*dtype)) : 8;
  if (is_array && count > rest.size() / least)
    reader.fail(reader.subject() + " has " + std::to_string(count) +
                " elements, each of at least " + std::to_string(least) + " bytes, but " +
                std::to_string(rest.size()) + " bytes follow");
  GgufValue value{dtype, is_array, static_cast<std::size_t>(count), {}};
  if (dtype) reader.bytes(value.count * least, "the value");
  else
    for (std::size_t i = 0; i < value.count; ++i)
      reader.string(is_array ? "a string" : "the value");
  value.bytes = rest.first(rest.size() - reader.rest().size());
  if (dtype == Dtype::boolean)
    for (const std::byte byte : value.bytes)
      if (byte > std::byte{1})
        reader.fail("a BOOL of " + reader.subject() + " must be 0 or 1, not " +
                    std::to_string(std::to_integer<int>(byte)));
  return value;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
