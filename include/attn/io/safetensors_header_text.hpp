#pragma once

#include <attn/io/safetensors_header.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Text as a JSON string. Errors: FileError if it is not UTF-8.
inline std::string json_string(const std::string& text, const std::string& where) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    std::string shown = text;
    for (char& c : shown)
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    throw FileError(where + ": names and metadata must be UTF-8, which " + in_quotes(shown) +
                    " is not");
  }
}

/// The header's text, as the reference implementation writes it: entries in the order of their
/// data, and spaces at the end so that the data, after 8 bytes of length, begin at a multiple of 8.
/// Errors: FileError if a text is not UTF-8 or the whole is too long.
inline std::string safetensors_header_text(
    const std::map<std::string, std::string>& metadata,
    const std::vector<std::pair<std::string, SafeTensorsEntry>>& entries,
    const std::string& where) {
  std::string text = "{";
  for (const auto& [key, value] : metadata) {
    text += text.size() == 1 ? "\"__metadata__\":{" : ",";
    text += json_string(key, where) + ":" + json_string(value, where);
  }
  if (!metadata.empty()) text += "}";
  for (const auto& [name, entry] : entries) {
    if (text.size() > 1) text += ",";
    text += json_string(name, where) + ":{\"dtype\":\"" + entry.dtype + "\",\"shape\":[";
    for (std::size_t i = 0; i < entry.shape.size(); ++i)
      text.append(i == 0 ? "" : ",").append(std::to_string(entry.shape[i]));
    text += "],\"data_offsets\":[" + std::to_string(entry.begin) + "," + std::to_string(entry.end) +
            "]}";
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > SafeTensorsHeader::max_size)
    throw FileError(where + ": the header has " + std::to_string(text.size()) +
                    " bytes and must have at most " + std::to_string(SafeTensorsHeader::max_size));
  return text;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
