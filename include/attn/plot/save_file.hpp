#pragma once

#include <attn/core/error.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// Writes the bytes to a temporary file beside `path` and renames it: whoever opens `path` finds
/// the old file or the whole new one. Errors: FileError if that cannot be done, or if something
/// else than a file is there; nothing is left behind.
inline void save_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  namespace fs = std::filesystem;
  const auto fail = [&path](const std::string& why) {
    throw FileError("save: cannot write \"" + path.string() + "\": " + why);
  };
  std::error_code error;
  fs::path target = path;
  if (fs::is_symlink(path, error))
    target = fs::weakly_canonical(path, error);  // the link stays, its file changes
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status))
    fail(fs::is_directory(status) ? "it is a directory" : "it is not a regular file");
  if (!target.has_filename()) fail("it names no file");

  std::random_device seed;
  fs::path temporary = target;
  temporary += "." + std::to_string(seed()) + std::to_string(seed()) + ".tmp";
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  if (!file) fail(errno != 0 ? std::strerror(errno) : "the file cannot be opened");
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  const std::string why = file         ? ""
                          : errno != 0 ? std::strerror(errno)
                                       : "the bytes cannot be written";
  if (why.empty()) fs::rename(temporary, target, error);
  if (why.empty() && !error) return;
  const std::string reason = why.empty() ? error.message() : why;
  fs::remove(temporary, error);
  fail(reason);
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
