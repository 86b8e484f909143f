#pragma once

#include <attn/core/error.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A word as a shell reads it.
inline std::string shell_quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find('\'', at)) != text.npos; at += 4)
    text.replace(at, 1, "'\\''");
  return "'" + text + "'";
}

/// Refuses what torch.save writes, with the command that converts it to a safetensors file. (The
/// length at the start of a safetensors file may be the same bytes, but a brace follows it.)
/// Errors: FileError, a sentence that begins with `where`.
inline void refuse_pickle(std::string_view bytes, const std::filesystem::path& path,
                          const std::string& where) {
  const bool is_zip = bytes.starts_with("PK\3\4");
  const bool is_bare =
      bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 && bytes[2] != 0;
  const bool is_safetensors = bytes.size() > 8 && bytes[8] == '{';
  if (is_safetensors || !(is_zip || is_bare)) return;
  auto converted = path;
  converted.replace_extension(path.extension() == ".safetensors" ? ".converted.safetensors"
                                                                 : ".safetensors");
  throw FileError(where + ": the file is a pickle" + (is_zip ? " in a zip" : "") +
                  ", which is a program and is not run; what torch.save wrote is converted by: " +
                  "python3 -c \"import sys, torch; from safetensors.torch import save_file; "
                  "save_file({k: v.contiguous().clone() for k, v in " +
                  "torch.load(sys.argv[1], 'cpu', weights_only=True).items()}, sys.argv[2])\" " +
                  shell_quoted(path.string()) + " " + shell_quoted(converted.string()));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
