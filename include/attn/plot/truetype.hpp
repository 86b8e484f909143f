#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

using Bytes = std::vector<std::uint8_t>;

/// Big-endian integers of a font file. Bytes beyond its end read as 0.
struct FontReader {
  const Bytes& bytes;

  std::uint32_t u8(std::size_t at) const { return at < bytes.size() ? bytes[at] : 0u; }
  std::uint32_t u16(std::size_t at) const { return u8(at) << 8 | u8(at + 1); }
  std::uint32_t u32(std::size_t at) const { return u16(at) << 16 | u16(at + 2); }
};

struct FontTable {
  std::size_t offset = 0, length = 0;
};

/// A table of the font, if it lies within the file and has the checksum that the directory states.
inline std::optional<FontTable> find_table(const Bytes& font, std::string_view tag) {
  const FontReader read{font};
  const std::size_t end = std::min(12 + 16 * std::size_t{read.u16(4)}, font.size());
  for (std::size_t record = 12; record + 16 <= end; record += 16) {
    if (!std::equal(tag.begin(), tag.end(), font.begin() + static_cast<std::ptrdiff_t>(record)))
      continue;
    const FontTable table{read.u32(record + 8), read.u32(record + 12)};
    if (table.offset > font.size() || table.length > font.size() - table.offset)
      return std::nullopt;
    // The checksum of head leaves out head's own checksum field.
    std::uint32_t sum = tag == "head" ? 0u - read.u32(table.offset + 8) : 0u;
    for (std::size_t i = 0; i < table.length; i += 4) sum += read.u32(table.offset + i);
    if (sum != read.u32(record + 4)) return std::nullopt;
    return table;
  }
  return std::nullopt;
}

/// Whether every map from characters to glyphs fits into its table.
inline bool are_sound_maps(const FontReader& read, const FontTable& cmap) {
  for (std::size_t i = 0; i < read.u16(cmap.offset + 2); ++i) {
    const std::size_t map = read.u32(cmap.offset + 4 + 8 * i + 4);
    if (map + 16 > cmap.length) return false;
    const std::size_t at = cmap.offset + map;
    const std::size_t format = read.u16(at);
    const std::size_t size = format == 0   ? 262
                             : format == 4 ? 16 + 4 * std::size_t{read.u16(at + 6)}
                             : format == 6 ? 10 + 2 * std::size_t{read.u16(at + 8)}
                             : format == 12 || format == 13
                                 ? 16 + 12 * std::size_t{read.u32(at + 12)}
                                 : 0;
    if (size > cmap.length - map) return false;
  }
  return true;
}

/// The outlines of a font's glyphs: table `glyf`, whose index is table `loca`.
struct FontOutlines {
  FontReader read;
  FontTable glyf, loca;
  std::size_t count;
  bool is_wide;  ///< whether the index has 32 bits

  std::size_t begin(std::size_t i) const {
    return is_wide ? read.u32(loca.offset + 4 * i) : 2 * std::size_t{read.u16(loca.offset + 2 * i)};
  }

  bool is_sound_index() const {
    if (loca.length < (count + 1) * (is_wide ? 4 : 2) || begin(count) > glyf.length) return false;
    for (std::size_t i = 0; i < count; ++i)
      if (begin(i) > begin(i + 1)) return false;
    return true;
  }

  /// Whether an outline lies within its own bytes. It may be composed of other glyphs, at most
  /// `budget` of them in all.
  bool is_sound(std::size_t glyph, int& budget, int depth = 0) const {
    if (glyph >= count || --budget < 0 || depth > 6) return false;
    const std::size_t at = glyf.offset + begin(glyph);
    const std::size_t end = glyf.offset + begin(glyph + 1);
    if (at == end) return true;
    if (end - at < 10) return false;
    const std::size_t contours = read.u16(at);
    return contours < 0x8000 ? is_sound_simple(at + 10, end, contours)
                             : is_sound_compound(at + 10, end, budget, depth);
  }

 private:
  /// A simple outline has the last points of its contours, ascending; instructions; a flag for each
  /// point or run of points; and an x and a y of 0, 1 or 2 bytes for each point.
  bool is_sound_simple(std::size_t at, std::size_t end, std::size_t contours) const {
    if (contours == 0) return true;
    std::size_t points = 0;
    for (std::size_t i = 0; i < contours; ++i, at += 2) {
      if (at + 2 > end || read.u16(at) + 1 <= points) return false;
      points = read.u16(at) + 1;
    }
    at += 2 + read.u16(at);
    std::size_t coordinates = 0;
    for (std::size_t point = 0; point < points;) {
      const unsigned flag = read.u8(at++);
      const unsigned run = flag & 8 ? 1 + read.u8(at++) : 1;
      if (at > end || run > points - point) return false;
      const unsigned x_bytes = flag & 2 ? 1 : flag & 16 ? 0 : 2;
      const unsigned y_bytes = flag & 4 ? 1 : flag & 32 ? 0 : 2;
      coordinates += run * (x_bytes + y_bytes);
      point += run;
    }
    return at + coordinates <= end;
  }

  /// A compound outline has, for each part, flags, a glyph, its position and its scale. The flags
  /// say whether another part follows.
  bool is_sound_compound(std::size_t at, std::size_t end, int& budget, int depth) const {
    for (unsigned flags = 0x20; flags & 0x20;) {
      flags = read.u16(at);
      const std::size_t part = read.u16(at + 2);
      at += 4u + (flags & 1 ? 4 : 2) + (flags & 8 ? 2 : flags & 0x40 ? 4 : flags & 0x80 ? 8 : 0);
      if (at > end || !is_sound(part, budget, depth + 1)) return false;
    }
    return true;
  }
};

/// Whether the bytes are a TrueType font that can be drawn without a further check of any offset:
/// one font with the tables that drawing needs, each within the file and with its stated checksum,
/// and with every map and outline within its table.
inline bool is_sound_truetype(const Bytes& font) {
  const FontReader read{font};
  const bool is_version_1 = read.u32(0) == 0x00010000;
  const bool is_apples = read.u32(0) == 0x74727565;  // "true"
  if (!is_version_1 && !is_apples) return false;
  const auto cmap = find_table(font, "cmap");
  const auto glyf = find_table(font, "glyf");
  const auto head = find_table(font, "head");
  const auto hhea = find_table(font, "hhea");
  const auto hmtx = find_table(font, "hmtx");
  const auto loca = find_table(font, "loca");
  const auto maxp = find_table(font, "maxp");
  if (!cmap || !glyf || !head || !hhea || !hmtx || !loca || !maxp) return false;
  if (head->length < 54 || hhea->length < 36 || maxp->length < 6) return false;

  const std::size_t units_per_em = read.u16(head->offset + 18);
  const std::size_t index_format = read.u16(head->offset + 50);
  if (units_per_em < 16 || units_per_em > 16384 || index_format > 1) return false;
  const std::size_t glyphs = read.u16(maxp->offset + 4);
  const std::size_t advances = read.u16(hhea->offset + 34);
  if (glyphs == 0 || advances == 0 || advances > glyphs ||
      hmtx->length < 4 * advances + 2 * (glyphs - advances))
    return false;

  const FontOutlines outlines{read, *glyf, *loca, glyphs, index_format == 1};
  if (!are_sound_maps(read, *cmap) || !outlines.is_sound_index()) return false;
  for (std::size_t glyph = 0; glyph < glyphs; ++glyph) {
    int budget = 64;
    if (!outlines.is_sound(glyph, budget)) return false;
  }
  return true;
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
