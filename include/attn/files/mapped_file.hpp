#pragma once

#include <algorithm>
#include <attn/files/file_handle.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <sys/stat.h>
#endif

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Bytes in memory and what keeps them there.
struct SharedBytes {
  std::shared_ptr<const std::byte> data{};
  std::size_t size = 0;
};

#if defined(__unix__) || defined(__APPLE__)

/// A regular file as pages of memory; no data where the system cannot map it.
inline SharedBytes map_file(std::FILE* file) {
  struct stat status {};
  if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
    return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const begin = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
  if (begin == MAP_FAILED) return {};
  const auto unmap = [size](const std::byte* data) { munmap(const_cast<std::byte*>(data), size); };
  return {{static_cast<const std::byte*>(begin), unmap}, size};
}

/// Returns the pages of a part of a mapped file to the system, together with those around it that
/// Linux reads at one page fault.
inline void release_pages(const SharedBytes& file, std::span<const std::byte> part) {
  constexpr std::uintptr_t unit = 1 << 16;  // a multiple of every page size
  const auto file_begin = reinterpret_cast<std::uintptr_t>(file.data.get());
  const auto part_begin = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t part_end = part_begin + part.size();
  const std::uintptr_t begin = std::max(file_begin, part_begin / unit * unit);
  const std::uintptr_t end = std::min(file_begin + file.size, (part_end + unit - 1) / unit * unit);
  madvise(const_cast<std::byte*>(file.data.get()) + (begin - file_begin), end - begin,
          MADV_DONTNEED);
}

#else

inline SharedBytes map_file(std::FILE*) { return {}; }
inline void release_pages(const SharedBytes&, std::span<const std::byte>) {}

#endif

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

}  // namespace detail

/// A file as bytes that can only be read: mapped into memory where the system can do that, and
/// read into memory elsewhere. Copies share the bytes. A mapped file that is replaced, as
/// AtomicFile does, keeps the bytes that it had. As with every mapped file, a program that reads
/// beyond the new end of one that another process has truncated is ended by the system.
/// Errors: FileError, one sentence that begins with `function`, the caller that has the argument
/// `path`.
class MappedFile {
 public:
  MappedFile(const std::filesystem::path& path, const std::string& function) {
    const detail::FileHandle file = detail::open_file(path, "rb");
    if (file) bytes_ = detail::map_file(file.get());
    is_mapped_ = bytes_.data != nullptr;
    if (file && !is_mapped_) bytes_ = detail::read_file(file.get());
    if (!bytes_.data) detail::throw_file_error(function + ": cannot read", path, errno);
  }

  std::span<const std::byte> bytes() const { return {bytes_.data.get(), bytes_.size}; }

  /// Returns the memory of a part that has been read to the system. A later access to the part
  /// reads it from the file again.
  void release(std::span<const std::byte> part) const {
    if (is_mapped_ && !part.empty()) detail::release_pages(bytes_, part);
  }

 private:
  detail::SharedBytes bytes_;
  bool is_mapped_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
