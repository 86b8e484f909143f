#pragma once

#include <attn/files/utf8.hpp>
#include <attn/io/gguf_reader.hpp>
#include <attn/io/names.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A key of the metadata or a name of a tensor: UTF-8 of at most 65,535 bytes, which the format
/// gives to keys. (It gives 64 to names, but files of diffusion models have longer ones.)
inline std::string_view read_gguf_name(GgufReader& reader, const char* part) {
  constexpr std::size_t max_size = 65535;
  const std::string_view name = reader.string(part);
  if (name.size() > max_size)
    reader.fail(reader.text_of(part) + " has " + std::to_string(name.size()) +
                " bytes and must have at most " + std::to_string(max_size));
  if (!is_utf8(name)) reader.fail(reader.text_of(part) + " must be UTF-8");
  return name;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
