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

/// A table of the font, if it lies within the file and adds up to the checksum that the directory
/// gives for it.
inline std::optional<FontTable> find_table(const Bytes& font, std::string_view tag) {
  const FontReader read{font};
  for (std::size_t record = 12, end = 12 + 16 * std::size_t{read.u16(4)};
       record < end && record + 16 <= font.size(); record += 16) {
    if (!std::equal(tag.begin(), tag.end(), font.begin() + static_cast<std::ptrdiff_t>(record)))
      continue;
    const FontTable table{read.u32(record + 8), read.u32(record + 12)};
    if (table.offset > font.size() || table.length > font.size() - table.offset)
      return std::nullopt;
    std::uint32_t sum = tag == "head" ? 0u - read.u32(table.offset + 8)
                                      : 0u;  // head's own field is left out of its sum
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
    const std::size_t start = cmap.offset + map, room = cmap.length - map, format = read.u16(start);
    const std::size_t needed = format == 0   ? 262
                               : format == 4 ? 16 + 4 * std::size_t{read.u16(start + 6)}
                               : format == 6 ? 10 + 2 * std::size_t{read.u16(start + 8)}
                               : format == 12 || format == 13
                                   ? 16 + 12 * std::size_t{read.u32(start + 12)}
                                   : 0;
    if (needed > room) return false;
  }
  return true;
}

/// The outlines of a font, glyph by glyph: table `glyf`, whose index is `loca`.
struct FontOutlines {
  FontReader read;
  FontTable glyf, loca;
  std::size_t count;
  bool wide;  ///< the index has 32 bits

  std::size_t begin(std::size_t i) const {
    return wide ? read.u32(loca.offset + 4 * i) : 2 * std::size_t{read.u16(loca.offset + 2 * i)};
  }

  bool is_sound_index() const {
    if (loca.length < (count + 1) * (wide ? 4 : 2) || begin(count) > glyf.length) return false;
    for (std::size_t i = 0; i < count; ++i)
      if (begin(i) > begin(i + 1)) return false;
    return true;
  }

  /// Whether an outline lies within its own bytes. It may be made of other glyphs, `budget` of them
  /// in all.
  bool is_sound(std::size_t glyph, int& budget, int depth = 0) const {
    if (glyph >= count || --budget < 0 || depth > 6) return false;
    const std::size_t at = glyf.offset + begin(glyph), end = glyf.offset + begin(glyph + 1);
    if (at == end) return true;
    if (end - at < 10) return false;
    const std::size_t contours = read.u16(at);
    return contours < 0x8000 ? is_sound_simple(at + 10, end, contours)
                             : is_sound_compound(at + 10, end, budget, depth);
  }

 private:
  /// Last points of the contours, ascending; instructions; a flag for each point, or for a run; x
  /// and y of 0, 1 or 2 bytes.
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
      const unsigned flag = read.u8(at++), run = flag & 8 ? 1 + read.u8(at++) : 1;
      if (at > end || run > points - point) return false;
      coordinates += run * ((flag & 2    ? 1u
                             : flag & 16 ? 0u
                                         : 2u) +
                            (flag & 4    ? 1u
                             : flag & 32 ? 0u
                                         : 2u));
      point += run;
    }
    return at + coordinates <= end;
  }

  /// Flags, a glyph, where it goes, and how it is scaled; the flags say whether more follow.
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

}  // namespace detail

/// Whether the bytes are a TrueType font that can be drawn from without looking at every offset
/// again: one font, with the tables that drawing needs, each within the file and as its checksum
/// says, and every map and outline within its table.
inline bool is_sound_truetype(const Bytes& font) {
  const detail::FontReader read{font};
  if (read.u32(0) != 0x00010000 && read.u32(0) != 0x74727565)
    return false;  // 1.0, or Apple's "true"
  const auto cmap = detail::find_table(font, "cmap"), glyf = detail::find_table(font, "glyf"),
             head = detail::find_table(font, "head"), hhea = detail::find_table(font, "hhea"),
             hmtx = detail::find_table(font, "hmtx"), loca = detail::find_table(font, "loca"),
             maxp = detail::find_table(font, "maxp");
  if (!cmap || !glyf || !head || !hhea || !hmtx || !loca || !maxp) return false;
  if (head->length < 54 || hhea->length < 36 || maxp->length < 6) return false;

  const std::size_t units_per_em = read.u16(head->offset + 18),
                    index_format = read.u16(head->offset + 50);
  if (units_per_em < 16 || units_per_em > 16384 || index_format > 1) return false;
  const std::size_t glyphs = read.u16(maxp->offset + 4), advances = read.u16(hhea->offset + 34);
  if (glyphs == 0 || advances == 0 || advances > glyphs ||
      hmtx->length < 4 * advances + 2 * (glyphs - advances))
    return false;

  const detail::FontOutlines outlines{read, *glyf, *loca, glyphs, index_format == 1};
  if (!detail::are_sound_maps(read, *cmap) || !outlines.is_sound_index()) return false;
  for (std::size_t glyph = 0; glyph < glyphs; ++glyph) {
    int budget = 64;
    if (!outlines.is_sound(glyph, budget)) return false;
  }
  return true;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
