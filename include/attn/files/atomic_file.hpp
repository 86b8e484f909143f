#pragma once

#include <attn/files/system.hpp>
#include <cstddef>
#include <span>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {

/// A file that appears whole or not at all. Bytes are written to a temporary file in the same
/// folder, and `commit` renames that to `path`. Without a commit, whatever the reason, the
/// temporary file is removed and the old file is as it was. An existing file keeps its permissions,
/// and a symbolic link to one stays a link. A device or pipe (/dev/stdout) is written directly.
/// Errors: FileError, one sentence that begins with `function`, the caller that has the argument
/// `path`.
class AtomicFile {
 public:
  AtomicFile(std::filesystem::path path, std::string function)
      : path_(std::move(path)), function_(std::move(function)) {
    if (path_.filename().empty())
      throw FileError(function_ + ": path \"" + path_.string() +
                      "\" must end in the name of a file");
    std::error_code ignored;
    const std::filesystem::file_status old = status(path_, ignored);
    if (is_directory(old))
      throw FileError(function_ + ": path \"" + path_.string() +
                      "\" must name a file, but it is a directory");
    if (exists(old) && !is_regular_file(old)) open_directly();
    else open_temporary(old);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    file_.reset();
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
  }

  void write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;  // fwrite must not be given the null pointer of an empty span
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
      fail(detail::last_error());
  }

  /// The last of the calls: the file appears under its name.
  /// Cost: waits until the bytes are on the disk.
  void commit() {
    const bool is_direct = temporary_.empty();
    const bool is_written =
        is_direct ? std::fflush(file_.get()) == 0 : detail::flush_to_disk(file_.get());
    if (!is_written) fail(detail::last_error());
    if (std::fclose(file_.release()) != 0) fail(detail::last_error());
    if (is_direct) return;
    std::error_code error;
    rename(temporary_, target_, error);
    if (error) fail(error);
    temporary_.clear();
  }

 private:
  void open_directly() {
    file_ = detail::open_file(path_, "wb");
    if (!file_) fail(detail::last_error());
  }
  void open_temporary(const std::filesystem::file_status& old) {
    std::error_code ignored;
    target_ = exists(old) ? canonical(path_, ignored) : path_;
    if (target_.empty()) target_ = path_;
    for (unsigned n = 0; !file_; ++n) {
      temporary_ = target_.parent_path() / (".attn-" + std::to_string(n) + ".tmp");
      file_ = detail::create_file(temporary_);
      if (!file_ && errno != EEXIST) fail(detail::last_error());
    }
    if (exists(old)) permissions(temporary_, old.permissions(), ignored);
  }
  [[noreturn]] void fail(const std::error_code& reason) const {
    detail::throw_file_error(function_ + ": cannot write", path_, reason);
  }

  std::filesystem::path path_;
  std::string function_;
  std::filesystem::path target_;     ///< `path_`, or where the link that it is points to
  std::filesystem::path temporary_;  ///< empty if there is none
  detail::FileHandle file_;
};

/// Writes `bytes` as the whole of a file, which appears at once or not at all.
/// Errors: FileError, as AtomicFile's.
inline void write_atomically(const std::filesystem::path& path, const std::string& function,
                             std::span<const std::byte> bytes) {
  AtomicFile file(path, function);
  file.write(bytes);
  file.commit();
}

}  // namespace ATTN_ABI
}  // namespace attn
