#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Text out of a file as an error shows it: in quotes, on one line, and no longer than its first
/// 100 bytes.
inline std::string in_quotes(std::string_view text) {
  std::size_t length = std::min<std::size_t>(text.size(), 100);
  while (length > 0 && length < text.size() &&
         (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
    --length;  // a letter stays whole
  std::string result = "\"";
  for (const char c : text.substr(0, length))
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return result + (length < text.size() ? "…\"" : "\"");
}

/// Letters to insert, delete or replace on the way from a to b. [Levenshtein 1966]
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() +
                               1);  // from the letters of a so far to each beginning of b
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

/// Of names, the one that is most likely meant by `name`; empty where none is near.
inline std::string closest(std::string_view name, const std::vector<std::string>& names) {
  std::string best;
  std::size_t nearest = name.size() / 2 + 1;
  for (const std::string& other : names) {
    if (std::max(name.size(), other.size()) > 200) continue;
    if (const std::size_t distance = edit_distance(name, other); distance < nearest)
      nearest = distance, best = other;
  }
  return best;
}

}  // namespace ATTN_ABI
}  // namespace attn
