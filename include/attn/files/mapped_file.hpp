#pragma once

#include <algorithm>
#include <attn/files/system.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Bytes in memory and what keeps them there.
struct SharedBytes {
  std::shared_ptr<const std::byte> data{};
  std::size_t size = 0;
};

/// A regular file, mapped into memory; no data where the system cannot map it.
inline SharedBytes mapped_bytes(std::FILE* file) {
  const std::span<const std::byte> bytes = map_file(file);
  if (bytes.empty()) return {};
  return {{bytes.data(), [bytes](const std::byte*) { unmap_file(bytes); }}, bytes.size()};
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The rest of a file, read into memory; no data, with the reason in errno, where that fails.
inline SharedBytes read_file(std::FILE* file) {
  constexpr std::size_t block = 1 << 16;
  const auto bytes = std::make_shared<std::vector<std::byte>>();
  std::size_t size = 0;
  for (std::size_t count = 1; count > 0; size += count) {
    bytes->resize(size + block);
    count = std::fread(bytes->data() + size, 1, block, file);
  }
  if (std::ferror(file) != 0) return {};
  return {{bytes, bytes->data()}, size};
}

/// The pages of a mapped file that hold a part of it, together with those around it that Linux
/// reads at one page fault.
inline std::span<const std::byte> pages_of(std::span<const std::byte> file,
                                           std::span<const std::byte> part) {
  constexpr std::uintptr_t unit = 1 << 16;  // a multiple of every page size
  const auto file_begin = reinterpret_cast<std::uintptr_t>(file.data());
  const auto part_begin = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t part_end = part_begin + part.size();
  const std::uintptr_t begin = std::max(file_begin, part_begin / unit * unit);
  const std::uintptr_t end =
      std::min(file_begin + file.size(), (part_end + unit - 1) / unit * unit);
  return file.subspan(begin - file_begin, end - begin);
}

}  // namespace detail

/// A file as bytes that can only be read: mapped into memory where the system can do that, and
/// read into memory elsewhere. Copies share the bytes. A mapped file that is replaced, as
/// AtomicFile does, keeps the bytes that it had; Windows refuses to replace a file while it is
/// mapped. As with every mapped file, a program that reads beyond the new end of one that another
/// process has truncated is ended by the system.
/// Errors: FileError, one sentence that begins with `function`, the caller that has the argument
/// `path`.
class MappedFile {
 public:
  MappedFile(const std::filesystem::path& path, const std::string& function) {
    const detail::FileHandle file = detail::open_file(path, "rb");
    if (file) bytes_ = detail::mapped_bytes(file.get());
    is_mapped_ = bytes_.data != nullptr;
    if (file && !is_mapped_) bytes_ = detail::read_file(file.get());
    if (!bytes_.data)
      detail::throw_file_error(function + ": cannot read", path, detail::last_error());
  }

  std::span<const std::byte> bytes() const { return {bytes_.data.get(), bytes_.size}; }

  /// Returns the memory of a part that has been read to the system. A later access to the part
  /// reads it from the file again.
  void release(std::span<const std::byte> part) const {
    if (is_mapped_ && !part.empty()) detail::release_pages(detail::pages_of(bytes(), part));
  }

 private:
  detail::SharedBytes bytes_;
  bool is_mapped_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
