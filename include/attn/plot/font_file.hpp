#pragma once

#include <attn/plot/truetype.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

/// The bytes of a file, or nothing where it cannot be read.
inline std::optional<Bytes> read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// Where systems keep a sans-serif font; the fonts with the most alphabets come first.
inline std::vector<std::filesystem::path> usual_fonts() {
  std::vector<std::filesystem::path> paths{
      "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",    // Debian, Ubuntu
      "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",  // Fedora
      "/usr/share/fonts/dejavu/DejaVuSans.ttf",
      "/usr/share/fonts/TTF/DejaVuSans.ttf",           // Arch
      "/usr/local/share/fonts/dejavu/DejaVuSans.ttf",  // FreeBSD
      "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
      "/usr/share/fonts/noto/NotoSans-Regular.ttf",
      "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
      "/usr/share/fonts/truetype/liberation2/LiberationSans-Regular.ttf",
      "/usr/share/fonts/liberation-sans/LiberationSans-Regular.ttf",
      "/usr/share/fonts/liberation/LiberationSans-Regular.ttf",
      "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",  // macOS
      "/System/Library/Fonts/Supplemental/Arial.ttf",
      "/Library/Fonts/Arial.ttf",
      "C:/Windows/Fonts/segoeui.ttf",
      "C:/Windows/Fonts/arial.ttf",
  };
  if (const char* home = std::getenv("HOME"))
    for (const char* folder : {"/.fonts/", "/.local/share/fonts/", "/Library/Fonts/"})
      paths.emplace_back(std::string(home) + folder + "DejaVuSans.ttf");
  return paths;
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
