#pragma once

#include <attn/io/gguf_tensor.hpp>
#include <attn/io/gguf_value.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What a GGUF file says of itself before its data. Names and values are views into the file.
struct GgufHeader {
  GgufKeyValues metadata;
  GgufTensors tensors;
  std::span<const std::byte> data;
};

/// Reads "GGUF" and the version, which must be 2 or 3 in little-endian order.
inline void read_gguf_version(GgufReader& reader) {
  constexpr std::string_view magic = "GGUF";
  const auto begin = reader.rest().first(std::min(reader.rest().size(), magic.size()));
  if (text_of(begin) != magic) reader.fail("the file must begin with GGUF, which it does not");
  reader.bytes(magic.size(), "the beginning");
  const auto version = reader.integer<std::uint32_t>("the version");
  if (version >= 1 << 24 && version % (1 << 24) == 0)
    reader.fail("the file is big-endian, of version " + std::to_string(version >> 24) +
                ", and must be little-endian");
  if (version != 2 && version != 3)
    reader.fail("the version is " + std::to_string(version) + " and must be 2 or 3");
}

/// Reads a count of entries, each of which takes at least `least` bytes after it.
inline std::uint64_t read_gguf_count(GgufReader& reader, const char* part, std::size_t least) {
  const auto count = reader.integer<std::uint64_t>(part);
  if (count > reader.rest().size() / least)
    reader.fail(reader.text_of(part) + " is " + std::to_string(count) + ", each of at least " +
                std::to_string(least) + " bytes, but " + std::to_string(reader.rest().size()) +
                " bytes follow");
  return count;
}

inline GgufKeyValues read_gguf_metadata(GgufReader& reader, std::uint64_t count) {
  GgufKeyValues metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.set_subject("metadata " + std::to_string(i));
    const std::string_view key = read_gguf_name(reader, "the key");
    if (metadata.contains(key)) reader.fail("the header has two keys " + in_quotes(key));
    reader.set_subject("metadata " + in_quotes(key));
    metadata.emplace(key, read_gguf_value(reader));
  }
  return metadata;
}

/// The alignment of the tensors' data: 32, or "general.alignment".
inline std::uint64_t gguf_alignment(const GgufReader& reader, const GgufKeyValues& metadata) {
  const auto at = metadata.find("general.alignment");
  if (at == metadata.end()) return 32;
  const GgufValue& value = at->second;
  const std::string wanted =
      "metadata \"general.alignment\" must be a U32, a power of two and at least 8, not ";
  if (value.dtype != Dtype::u32 || value.is_array) reader.fail(wanted + "of type " + value.type());
  const std::uint64_t alignment = from_little_endian(value.bytes);
  if (alignment < 8 || !std::has_single_bit(alignment))
    reader.fail(wanted + std::to_string(alignment));
  return alignment;
}

/// Reads and checks all that precedes the data, and where the data lie.
/// Errors: FileError, a sentence that begins with `where`.
inline GgufHeader read_gguf_header(std::span<const std::byte> bytes, const std::string& where) {
  GgufReader reader(bytes, where);
  read_gguf_version(reader);
  // Without names and values that may be empty: a length, a number of dimensions, a type and an
  // offset; a length, a type and a byte.
  constexpr std::size_t least_tensor = 8 + 4 + 4 + 8, least_key_value = 8 + 4 + 1;
  const auto tensor_count = read_gguf_count(reader, "the number of tensors", least_tensor);
  const auto metadata_count = read_gguf_count(reader, "the number of keys", least_key_value);
  GgufHeader header;
  header.metadata = read_gguf_metadata(reader, metadata_count);
  const std::uint64_t alignment = gguf_alignment(reader, header.metadata);
  header.tensors = read_gguf_tensors(reader, tensor_count, alignment);
  const std::uint64_t padding = (alignment - reader.position() % alignment) % alignment;
  if (padding < reader.rest().size())
    header.data = reader.rest().subspan(static_cast<std::size_t>(padding));
  check_gguf_offsets(reader, header.tensors, header.data.size(), alignment);
  return header;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
