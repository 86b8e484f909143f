#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attn::inline ATTN_ABI {
namespace plot {

using Bytes = std::vector<std::uint8_t>;

namespace detail {

/// Big-endian numbers of a font file; beyond its end is 0.
struct FontReader {
  const Bytes& bytes;

  std::uint32_t u8(std::size_t at) const { return at < bytes.size() ? bytes[at] : 0u; }
  std::uint32_t u16(std::size_t at) const { return u8(at) << 8 | u8(at + 1); }
  std::uint32_t u32(std::size_t at) const { return u16(at) << 16 | u16(at + 2); }
};

struct FontTable {
  std::size_t offset = 0, length = 0;
};

/// A table of the font, if it lies within the file and adds up to the checksum that the directory gives for it.
inline std::optional<FontTable> find_table(const Bytes& font, std::string_view tag) {
  const FontReader read{font};
  for (std::size_t record = 12, end = 12 + 16 * std::size_t{read.u16(4)}; record < end && record + 16 <= font.size(); record += 16) {
    if (!std::equal(tag.begin(), tag.end(), font.begin() + static_cast<std::ptrdiff_t>(record))) continue;
    const FontTable table{read.u32(record + 8), read.u32(record + 12)};
    if (table.offset > font.size() || table.length > font.size() - table.offset) return std::nullopt;
    std::uint32_t sum = tag == "head" ? 0u - read.u32(table.offset + 8) : 0u;  // head's own field is left out of its sum
    for (std::size_t i = 0; i < table.length; i += 4) sum += read.u32(table.offset + i);
    if (sum != read.u32(record + 4)) return std::nullopt;
    return table;
  }
  return std::nullopt;
}

}  // namespace detail

/// Whether the bytes are a TrueType font that can be drawn from without looking at every offset again: one font, with the
/// tables that drawing needs, each within the file and as its checksum says, and the glyphs where the index says.
inline bool is_sound_truetype(const Bytes& font) {
  const detail::FontReader read{font};
  if (read.u32(0) != 0x00010000 && read.u32(0) != 0x74727565) return false;  // 1.0, or Apple's "true"
  const auto cmap = detail::find_table(font, "cmap"), glyf = detail::find_table(font, "glyf"), head = detail::find_table(font, "head"),
             hhea = detail::find_table(font, "hhea"), hmtx = detail::find_table(font, "hmtx"), loca = detail::find_table(font, "loca"),
             maxp = detail::find_table(font, "maxp");
  if (!cmap || !glyf || !head || !hhea || !hmtx || !loca || !maxp) return false;
  if (head->length < 54 || hhea->length < 36 || maxp->length < 6 || read.u16(head->offset + 18) == 0) return false;

  const std::size_t glyphs = read.u16(maxp->offset + 4), advances = read.u16(hhea->offset + 34), wide = read.u16(head->offset + 50);
  if (glyphs == 0 || advances == 0 || advances > glyphs || hmtx->length < 4 * advances + 2 * (glyphs - advances)) return false;
  if (wide > 1 || loca->length < (glyphs + 1) * (wide ? 4 : 2)) return false;
  std::size_t last = 0;
  for (std::size_t i = 0; i <= glyphs; ++i) {
    const std::size_t begin = wide ? read.u32(loca->offset + 4 * i) : 2 * std::size_t{read.u16(loca->offset + 2 * i)};
    if (begin < last || begin > glyf->length) return false;
    last = begin;
  }
  for (std::size_t i = 0; i < read.u16(cmap->offset + 2); ++i) {
    const std::size_t map = read.u32(cmap->offset + 4 + 8 * i + 4);
    if (map + 8 > cmap->length) return false;
    const std::size_t start = cmap->offset + map;
    if ((read.u16(start) < 8 ? read.u16(start + 2) : read.u32(start + 4)) > cmap->length - map) return false;
  }
  return true;
}

/// The whole file, or nothing where it cannot be read.
inline std::optional<Bytes> read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// Where systems keep a sans-serif font, those with the most alphabets first.
inline std::vector<std::filesystem::path> usual_fonts() {
  std::vector<std::filesystem::path> paths{
      "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",  // Debian, Ubuntu
      "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",  // Fedora
      "/usr/share/fonts/dejavu/DejaVuSans.ttf",
      "/usr/share/fonts/TTF/DejaVuSans.ttf",  // Arch
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
    for (const char* folder : {"/.fonts/", "/.local/share/fonts/", "/Library/Fonts/"}) paths.emplace_back(std::string(home) + folder + "DejaVuSans.ttf");
  return paths;
}

}  // namespace plot
}  // namespace attn::inline ATTN_ABI
