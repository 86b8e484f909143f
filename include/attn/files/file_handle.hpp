#pragma once

#include <attn/core/error.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#if defined(_WIN32)
#include <io.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// An open file, which is closed at the end of its scope.
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// `std::fopen` for a path; null, with the reason in errno, where the file cannot be opened.
inline FileHandle open_file(const std::filesystem::path& path, const char* mode) {
#if defined(_WIN32)
  return FileHandle(_wfopen(path.c_str(), std::filesystem::path(mode).c_str()));
#else
  return FileHandle(std::fopen(path.c_str(), mode));
#endif
}

/// Waits until the bytes are on the disk; false, with the reason in errno, where that fails.
inline bool flush_to_disk(std::FILE* file) {
  if (std::fflush(file) != 0) return false;
#if defined(_WIN32)
  return _commit(_fileno(file)) == 0;
#elif defined(__unix__) || defined(__APPLE__)
  return fsync(fileno(file)) == 0;
#else
  return true;
#endif
}

/// Throws a FileError for a failure such as "load: cannot read", whose reason is a value of errno.
[[noreturn]] inline void throw_file_error(const std::string& failure,
                                          const std::filesystem::path& path, int reason) {
  throw FileError(failure + " \"" + path.string() +
                  "\": " + std::generic_category().message(reason));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
