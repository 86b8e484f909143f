#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

/// The bytes of values as files hold them, the least significant byte of each first.
template <class T>
std::string little_endian(const std::vector<T>& values) {
  std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  if (std::endian::native == std::endian::big)
    for (auto at = bytes.begin(); at < bytes.end(); at += sizeof(T))
      std::reverse(at, at + sizeof(T));
  return bytes;
}
