#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <attn/files/file_handle.hpp>
#include <cstddef>
#include <span>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Opens a file in a mode of `std::fopen`; null, with the reason in errno, where that fails.
inline FileHandle open_file(const std::filesystem::path& path, const char* mode) {
  return FileHandle(std::fopen(path.c_str(), mode));
}

/// Creates a file for writing; null, with the reason in errno, where that fails: EEXIST where the
/// file exists.
inline FileHandle create_file(const std::filesystem::path& path) { return open_file(path, "wbx"); }

/// Waits until the bytes are on the disk; false, with the reason in errno, where that fails.
inline bool flush_to_disk(std::FILE* file) {
  return std::fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/// A regular file as pages of memory that can only be read; no data where the system cannot map it.
inline std::span<const std::byte> map_file(std::FILE* file) {
  struct stat status {};
  if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (status.st_size == 0 || !std::in_range<std::size_t>(status.st_size)) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const begin = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
  if (begin == MAP_FAILED) return {};
  return {static_cast<const std::byte*>(begin), size};
}

/// Ends a mapping that `map_file` made.
inline void unmap_file(std::span<const std::byte> bytes) {
  munmap(const_cast<std::byte*>(bytes.data()), bytes.size());
}

/// Returns the memory of some pages of a mapped file to the system.
inline void release_pages(std::span<const std::byte> pages) {
  madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_DONTNEED);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
