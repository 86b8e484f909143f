#pragma once

#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <attn/files/file_handle.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

struct _SECURITY_ATTRIBUTES;  // NOLINT: the name that windows.h gives it

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The functions of windows.h that are called here, declared as it declares them: the header itself
/// would bring its macros (`min`, `far`, `small`, …) to whoever includes this one.
namespace windows {

using Size = std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long>;
extern "C" {
__declspec(dllimport) void* __stdcall CreateFileMappingW(void* file, _SECURITY_ATTRIBUTES* security,
                                                         unsigned long protection,
                                                         unsigned long size_high,
                                                         unsigned long size_low,
                                                         const wchar_t* name);
__declspec(dllimport) void* __stdcall MapViewOfFile(void* mapping, unsigned long access,
                                                    unsigned long offset_high,
                                                    unsigned long offset_low, Size size);
__declspec(dllimport) int __stdcall UnmapViewOfFile(const void* begin);
__declspec(dllimport) int __stdcall VirtualUnlock(void* begin, Size size);
__declspec(dllimport) int __stdcall CloseHandle(void* handle);
}
inline constexpr unsigned long page_readonly = 2;
inline constexpr unsigned long file_map_read = 4;

}  // namespace windows

/// Opens a file in a mode of `std::fopen`; null, with the reason in errno, where that fails.
inline FileHandle open_file(const std::filesystem::path& path, const char* mode) {
  FileHandle file(_wfopen(path.c_str(), std::filesystem::path(mode).c_str()));
  std::error_code ignored;
  if (!file && is_directory(path, ignored)) errno = EISDIR;  // Windows says: permission denied
  return file;
}

/// Creates a file for writing; null, with the reason in errno, where that fails: EEXIST where the
/// file exists. (Mode "x" of `std::fopen` is unknown to msvcrt.dll.)
inline FileHandle create_file(const std::filesystem::path& path) {
  const int file =
      _wopen(path.c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY, _S_IREAD | _S_IWRITE);
  return FileHandle(file < 0 ? nullptr : _fdopen(file, "wb"));
}

/// Waits until the bytes are on the disk; false, with the reason in errno, where that fails.
inline bool flush_to_disk(std::FILE* file) {
  return std::fflush(file) == 0 && _commit(_fileno(file)) == 0;
}

/// A regular file as pages of memory that can only be read; no data where the system cannot map it.
inline std::span<const std::byte> map_file(std::FILE* file) {
  const std::int64_t size = _filelengthi64(_fileno(file));
  if (size <= 0 || !std::in_range<std::size_t>(size)) return {};
  auto* const handle = reinterpret_cast<void*>(_get_osfhandle(_fileno(file)));
  void* const mapping =
      windows::CreateFileMappingW(handle, nullptr, windows::page_readonly, 0, 0, nullptr);
  if (!mapping) return {};
  const void* const begin = windows::MapViewOfFile(mapping, windows::file_map_read, 0, 0, 0);
  windows::CloseHandle(mapping);  // the view keeps what it needs
  if (!begin) return {};
  return {static_cast<const std::byte*>(begin), static_cast<std::size_t>(size)};
}

/// Ends a mapping that `map_file` made.
inline void unmap_file(std::span<const std::byte> bytes) { windows::UnmapViewOfFile(bytes.data()); }

/// Returns the memory of some pages of a mapped file to the system: unlocking pages that are not
/// locked removes them from the working set.
inline void release_pages(std::span<const std::byte> pages) {
  windows::VirtualUnlock(const_cast<std::byte*>(pages.data()), pages.size());
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
