#pragma once

#include <algorithm>
#include <attn/io/dtype.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Whether text has the form of a dtype's name: capital letters, digits and _, a letter first.
inline bool is_dtype_name(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_part = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), is_part);
}

/// Bits of one element of any dtype of the safetensors format as of version 0.8
/// [https://docs.rs/safetensors/latest/safetensors/tensor/enum.Dtype.html], or nothing for a name
/// that the format had not then.
inline std::optional<Index> bits_of(std::string_view dtype_name) {
  if (const std::optional<Dtype> dtype = dtype_named(dtype_name)) return 8 * size_of(*dtype);
  if (dtype_name == "F4") return 4;
  if (dtype_name == "F6_E2M3" || dtype_name == "F6_E3M2") return 6;
  for (const std::string_view name :
       {"F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
    if (dtype_name == name) return 8;
  if (dtype_name == "C64") return 64;
  return std::nullopt;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
