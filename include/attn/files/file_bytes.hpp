#pragma once

#include <algorithm>
#include <attn/core/error.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <sys/stat.h>
#endif

namespace attn {
inline namespace ATTN_ABI {

/// The bytes of a file, only to be read: mapped into memory where the system can, read otherwise.
/// Copies share them. A mapped file that is replaced, as AtomicFile does, keeps the bytes it had;
/// one that another process shortens ends a program that reads beyond its new end, as with every
/// mapped file.
/// Errors: FileError, one sentence that begins with `function`, the caller whose argument `path`
/// is.
class FileBytes {
 public:
  FileBytes(const std::filesystem::path& path, const std::string& function) {
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.string().c_str(), "rb"));
    if (!file || !(map(file.get()) || read(file.get())))
      throw FileError(function + ": cannot read \"" + path.string() +
                      "\": " + std::generic_category().message(errno));
  }

  std::span<const std::byte> bytes() const { return {data_.get(), size_}; }

  /// Gives the memory of a part that was read back to the system, which brings the bytes in again
  /// where they are looked at once more.
  void release(std::span<const std::byte> part) const {
    if (mapped_ && !part.empty()) unload(part);
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

#if defined(__unix__) || defined(__APPLE__)
  bool map(std::FILE* file) {
    struct stat status {};
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0)
      return false;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    if (start == MAP_FAILED) return false;
    data_ = {static_cast<const std::byte*>(start),
             [size](const std::byte* data) { munmap(const_cast<std::byte*>(data), size); }};
    size_ = size;
    return mapped_ = true;
  }
  void unload(std::span<const std::byte> part) const {
    constexpr std::uintptr_t step =
        1 << 16;  // a multiple of every page, and what Linux brings in around one that is missing
    const auto start = reinterpret_cast<std::uintptr_t>(data_.get()),
               at = reinterpret_cast<std::uintptr_t>(part.data());
    const std::uintptr_t begin = std::max(start, at / step * step),
                         end = std::min(start + size_, (at + part.size() + step - 1) / step * step);
    madvise(const_cast<std::byte*>(data_.get()) + (begin - start), end - begin, MADV_DONTNEED);
  }
#else
  bool map(std::FILE*) { return false; }
  void unload(std::span<const std::byte>) const {}
#endif

  bool read(std::FILE* file) {
    const auto bytes = std::make_shared<std::vector<std::byte>>();
    for (std::size_t got = 1; got > 0; size_ += got) {
      bytes->resize(size_ + (std::size_t{1} << 16));
      got = std::fread(bytes->data() + size_, 1, bytes->size() - size_, file);
    }
    data_ = {bytes, bytes->data()};
    return std::ferror(file) == 0;
  }

  std::shared_ptr<const std::byte> data_;
  std::size_t size_ = 0;
  bool mapped_ = false;
};

}  // namespace ATTN_ABI
}  // namespace attn
