#pragma once

#include <attn/core/error.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace attn {
inline namespace ATTN_ABI {

/// A file that appears whole or not at all: what is written goes to a temporary file in the same
/// folder, and `commit` puts it in the place of `path`. Without a commit, whatever the reason, the
/// temporary is removed and the old file is as it was. The permissions of an old file are kept, and
/// a symbolic link to one stays. A device or pipe (/dev/stdout) is written directly.
/// Errors: FileError, one sentence that begins with `function`, the caller whose argument `path`
/// is.
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
    target_ = exists(old) ? canonical(path_, ignored) : path_;
    if (target_.empty()) target_ = path_;
    if (exists(old) && !is_regular_file(old)) {
      file_.reset(std::fopen(path_.string().c_str(), "wb"));
      if (!file_) fail();
      return;
    }
    for (unsigned n = 0; !file_; ++n) {
      temporary_ = target_.parent_path() / (".attn-" + std::to_string(n) + ".tmp");
      file_.reset(std::fopen(temporary_.string().c_str(),
                             "wbx"));  // x: fails where the file exists, so that it is ours alone
      if (!file_ && errno != EEXIST) fail();
    }
    if (exists(old)) permissions(temporary_, old.permissions(), ignored);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    file_.reset();
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
  }

  void write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;  // fwrite may not be given the null pointer of an empty span
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) fail();
  }

  /// The last of the calls. Cost: waits until the bytes are on the disk.
  void commit() {
    if (std::fflush(file_.get()) != 0) fail();
#if defined(__unix__) || defined(__APPLE__)
    if (!temporary_.empty() && fsync(fileno(file_.get())) != 0) fail();
#endif
    if (std::fclose(file_.release()) != 0) fail();
    std::error_code error;
    if (!temporary_.empty()) rename(temporary_, target_, error);
    if (error) fail(error.value());
    temporary_.clear();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  [[noreturn]] void fail() const { fail(errno); }
  [[noreturn]] void fail(int reason) const {
    throw FileError(function_ + ": cannot write \"" + path_.string() +
                    "\": " + std::generic_category().message(reason));
  }

  std::filesystem::path path_;
  std::string function_;
  std::filesystem::path target_, temporary_;  // the latter is empty if there is none
  std::unique_ptr<std::FILE, Close> file_;
};

/// `bytes` as the whole of a file, which appears at once or not at all. Errors: FileError, as
/// AtomicFile's.
inline void write_atomically(const std::filesystem::path& path, const std::string& function,
                             std::span<const std::byte> bytes) {
  AtomicFile file(path, function);
  file.write(bytes);
  file.commit();
}

}  // namespace ATTN_ABI
}  // namespace attn
