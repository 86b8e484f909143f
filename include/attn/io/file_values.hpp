#pragma once

#include <algorithm>
#include <attn/files/mapped_file.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/convert.hpp>
#include <bit>
#include <cstdio>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Refuses a value that T cannot hold: the one at this index among values of this type in a file.
/// Errors: FileError, a sentence that begins with `where`.
template <class T, class Stored>
[[noreturn]] void refuse_value(Stored value, std::string_view type, std::size_t index,
                               const std::string& where) {
  std::string text;
  if constexpr (std::is_integral_v<Stored>) {
    text = std::to_string(value);
  } else {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.17g", static_cast<double>(value));
    text = digits;
  }
  const char* kind = std::is_floating_point_v<T> ? "F" : std::is_signed_v<T> ? "I" : "U";
  const std::string wanted =
      std::is_same_v<T, bool> ? "BOOL" : kind + std::to_string(sizeof(T) * 8);
  throw FileError((where + " has the ").append(type) + " " + text + " at index " +
                  std::to_string(index) + ", which " + wanted + " cannot hold");
}

/// Values of one type that lie side by side in a file.
struct FileValues {
  const MappedFile& file;
  std::span<const std::byte> bytes;  ///< of all the values
  Dtype dtype;
  std::endian order = std::endian::little;

  /// Fills `to` with the first `to.size()` values, each converted by `convert`. Where it throws,
  /// `to` holds the values before the one that is lost.
  /// Cost: at most 4 MB of the file are in memory at a time. Errors: FileError if a value is lost,
  /// a sentence that begins with `where`.
  template <class T>
  void read(std::span<T> to, const std::string& where) const {
    with_type(dtype, [&]<class Stored>(Stored) { read_blocks<Stored>(to, where); });
  }

  /// Throws where reading all the values as T would.
  template <class T>
  void check(const std::string& where) const {
    if (with_type(dtype, []<class Stored>(Stored) { return is_always_kept<T, Stored>; })) return;
    std::vector<T> all(bytes.size() / static_cast<std::size_t>(size_of(dtype)));
    read(std::span<T>(all), where);
  }

 private:
  template <class Stored, class T>
  void read_blocks(std::span<T> to, const std::string& where) const {
    constexpr std::size_t size = sizeof(Stored);
    constexpr std::size_t block = (std::size_t{1} << 22) / size;
    std::vector<std::byte> swapped;
    for (std::size_t begin = 0; begin < to.size(); begin += block) {
      const std::size_t count = std::min(block, to.size() - begin);
      const auto part = bytes.subspan(begin * size, count * size);
      const std::byte* from = part.data();
      if (order != std::endian::native) {
        swapped.assign(part.begin(), part.end());
        swap_bytes(swapped, size);
        from = swapped.data();
      }
      convert_block<Stored>(from, to.subspan(begin, count), begin, where);
      file.release(part);
    }
  }

  /// `index` is that of the block's first value, as an error names it.
  template <class Stored, class T>
  void convert_block(const std::byte* from, std::span<T> to, std::size_t index,
                     const std::string& where) const {
    if constexpr (std::is_same_v<Stored, T> && !std::is_same_v<T, bool>) {
      std::memcpy(static_cast<void*>(to.data()), from, to.size_bytes());
    } else {
      for (std::size_t i = 0; i < to.size(); ++i) {
        const Stored value = load_value<Stored>(from + i * sizeof(Stored));
        const std::optional<T> converted = convert<T>(value);
        if (!converted) refuse_value<T>(value, to_string(dtype), index + i, where);
        to[i] = *converted;
      }
    }
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
