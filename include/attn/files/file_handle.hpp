#pragma once

#include <attn/core/error.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// An open file, which is closed at the end of its scope.
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// The reason that the last failure of the C library left in errno.
inline std::error_code last_error() { return {errno, std::generic_category()}; }

/// Throws a FileError for a failure such as "load: cannot read", with the reason for it.
[[noreturn]] inline void throw_file_error(const std::string& failure,
                                          const std::filesystem::path& path,
                                          const std::error_code& reason) {
  throw FileError(failure + " \"" + path.string() + "\": " + reason.message());
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
