#pragma once

#include <algorithm>
#include <attn/files/mapped_file.hpp>
#include <attn/io/convert.hpp>
#include <bit>
#include <cstdio>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Numbers of one type, side by side in a file.
struct FileNumbers {
  const MappedFile& file;
  std::span<const std::byte> bytes;  // all of theirs
  Dtype dtype;
  std::endian order = std::endian::little;

  /// Fills `to` with as many of them as it takes, each converted by `convert`. Where it throws,
  /// `to` holds those before the one that is lost.
  /// Cost: of the file at most 4 MB are in memory at a time. Errors: FileError if a value is lost,
  /// a sentence that begins with `where`.
  template <class T>
  void read(std::span<T> to, const std::string& where) const {
    with_type(dtype, [&]<class Stored>(Stored) {
      constexpr std::size_t size = sizeof(Stored), block = (std::size_t{1} << 22) / size;
      std::vector<std::byte> swapped;
      for (std::size_t i = 0; i < to.size();) {
        const std::size_t end = std::min(i + block, to.size());
        const auto part = bytes.subspan(i * size, (end - i) * size);
        const std::byte* from = part.data();
        if (order != std::endian::native) {
          swapped.assign(part.begin(), part.end());
          for (std::size_t at = 0; at < swapped.size(); at += size)
            std::reverse(&swapped[at], &swapped[at] + size);
          from = swapped.data();
        }
        if constexpr (std::is_same_v<Stored, T> && !std::is_same_v<T, bool>) {
          std::memcpy(&to[i], from, part.size());
          i = end;
        } else {
          for (; i < end; ++i, from += size) {
            const Stored value = load_number<Stored>(from);
            const std::optional<T> converted = convert<T>(value);
            if (!converted) fail<T>(value, i, where);
            to[i] = *converted;
          }
        }
        file.release(part);
      }
    });
  }

  /// Throws where reading them all as T would.
  template <class T>
  void check(const std::string& where) const {
    if (with_type(dtype, []<class Stored>(Stored) { return is_always_kept<T, Stored>; })) return;
    std::vector<T> all(bytes.size() / static_cast<std::size_t>(size_of(dtype)));
    read(std::span<T>(all), where);
  }

 private:
  template <class T, class Stored>
  [[noreturn]] void fail(Stored value, std::size_t at, const std::string& where) const {
    const char* kind = std::is_floating_point_v<T> ? "F" : std::is_signed_v<T> ? "I" : "U";
    const std::string type =
        std::is_same_v<T, bool> ? "BOOL" : kind + std::to_string(sizeof(T) * 8);
    char number[32];
    if constexpr (std::is_integral_v<Stored>)
      std::snprintf(number, sizeof number, "%lld", static_cast<long long>(value));
    else std::snprintf(number, sizeof number, "%.17g", static_cast<double>(value));
    throw FileError(where + " has the " + to_string(dtype) + " " + number + " at index " +
                    std::to_string(at) + ", which " + type + " cannot hold");
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
