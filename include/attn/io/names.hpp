#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Text out of a file as an error shows it: in quotes, on one line, and at most its first 100
/// bytes, without cutting a character of UTF-8.
inline std::string in_quotes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t length = std::min<std::size_t>(text.size(), 100);
  while (length > 0 && length < text.size() && (byte(length) & 0xC0) == 0x80) --length;
  std::string result = "\"";
  for (std::size_t i = 0; i < length; ++i)
    result += byte(i) < 0x20 || byte(i) == 0x7F ? '?' : text[i];
  return result + (length < text.size() ? "…\"" : "\"");
}

namespace detail {

/// The number of characters to insert, delete or replace to turn a into b. [Levenshtein66]
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  // row[j] is the distance from the part of a that has been read to the first j characters of b.
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : a) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (letter == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// The name that is most likely meant by `name`; empty where none is near.
inline std::string closest(std::string_view name, const std::vector<std::string>& names) {
  std::string best;
  std::size_t nearest = name.size() / 2 + 1;
  for (const std::string& other : names) {
    if (std::max(name.size(), other.size()) > 200) continue;
    const std::size_t distance = edit_distance(name, other);
    if (distance >= nearest) continue;
    nearest = distance;
    best = other;
  }
  return best;
}

/// "; the closest is "name"", to end the sentence about a name that does not exist, or nothing.
inline std::string suggestion(std::string_view name, const std::vector<std::string>& names) {
  const std::string meant = closest(name, names);
  return meant.empty() ? "" : "; the closest is " + in_quotes(meant);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
