#pragma once

#include <algorithm>
#include <array>
#include <attn/files/utf8.hpp>
#include <attn/plot/ascii.hpp>
#include <attn/plot/font_file.hpp>
#include <attn/plot/image.hpp>
#include <attn/plot/stb.hpp>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// Draws lines of text, in a TrueType font with anti-aliasing, or in the built-in letters, which
/// are ASCII on a grid of 7 × 11. Sizes are pixels to the em. All lines of a size have the same
/// height. Copies share the font.
class Font {
 public:
  static Font built_in() { return Font{}; }

  /// The font of a TrueType file, or nothing if the file cannot be read or is damaged.
  static std::optional<Font> load(const std::filesystem::path& path) {
    std::optional<detail::Bytes> bytes = detail::read_file(path);
    if (!bytes || !detail::is_sound_truetype(*bytes)) return std::nullopt;
    auto file = std::make_shared<File>();
    file->bytes = std::move(*bytes);
    // Zeros follow the file, farther than a 16-bit offset inside of a table reaches.
    file->bytes.resize(file->bytes.size() + (1 << 20));
    if (!detail::stb::stbtt_InitFont(&file->info, file->bytes.data(), 0)) return std::nullopt;
    Font font;
    font.file_ = std::move(file);
    return font;
  }

  /// The font of the file that the environment variable ATTN_FONT names ("none" stands for the
  /// built-in letters), or else the first usual font of the system, or else the built-in letters.
  static Font system() {
    const char* wanted = std::getenv("ATTN_FONT");
    if (wanted != nullptr && std::string_view(wanted) == "none") return built_in();
    if (wanted != nullptr)
      if (const std::optional<Font> font = load(wanted)) return *font;
    for (const std::filesystem::path& path : detail::usual_fonts())
      if (const std::optional<Font> font = load(path)) return *font;
    return built_in();
  }

  bool is_built_in() const { return file_ == nullptr; }
  int height(double size) const { return file_ ? ascent(size) + descent(size) : 11 * unit(size); }
  int width(std::string_view text, double size) const { return shape(text, size).width; }

  /// The text, or its beginning and … if it is wider than `widest` pixels.
  std::string shorten(const std::string& text, double size, int widest) const {
    if (width(text, size) <= widest) return text;
    const std::u32string points = decode_utf8(text);
    const auto beginning = [&](std::size_t count) {
      return encode_utf8(std::u32string_view(points).substr(0, count)) + "…";
    };
    std::size_t low = 0, high = points.size();
    while (low < high) {
      const std::size_t middle = (low + high + 1) / 2;
      if (width(beginning(middle), size) <= widest) low = middle;
      else high = middle - 1;
    }
    return beginning(low);
  }

  /// The ink of the text: `width(text, size)` × `height(size)` pixels.
  detail::Coverage render(std::string_view text, double size) const {
    const Line line = shape(text, size);
    detail::Coverage mask{line.width, height(size)};
    for (const Glyph& glyph : line.glyphs) {
      if (file_) draw_outline(glyph, line.origin, size, mask);
      else draw_segments(glyph, size, mask);
    }
    return mask;
  }

 private:
  struct File {
    detail::Bytes bytes;
    detail::stb::stbtt_fontinfo info{};
  };
  struct Glyph {
    int index = 0;  ///< in the file; for built-in letters, the ASCII code
    double x = 0;
  };
  struct Line {
    std::vector<Glyph> glyphs{};
    int origin = 0;  ///< where the pen begins; ink may lie left of that
    int width = 0;
  };
  struct Pen {
    double x = 0;
    int left = 0, right = 0;  ///< of the ink so far
  };

  static int unit(double size) { return std::max(1, static_cast<int>(size * 1.17 / 11)); }
  float scale(double size) const {
    return detail::stb::stbtt_ScaleForMappingEmToPixels(&file_->info, static_cast<float>(size));
  }
  double pixels(int units, double size) const { return units * static_cast<double>(scale(size)); }
  /// The pixels above and below the baseline: from 0.7 to 1.4 em and from 0.2 to 0.6 em, whatever
  /// the font states.
  int ascent(double size) const {
    int above = 0, below = 0, gap = 0;
    detail::stb::stbtt_GetFontVMetrics(&file_->info, &above, &below, &gap);
    return static_cast<int>(std::ceil(std::clamp(pixels(above, size), 0.7 * size, 1.4 * size)));
  }
  int descent(double size) const {
    int above = 0, below = 0, gap = 0;
    detail::stb::stbtt_GetFontVMetrics(&file_->info, &above, &below, &gap);
    return static_cast<int>(std::ceil(std::clamp(pixels(-below, size), 0.2 * size, 0.6 * size)));
  }

  Line shape(std::string_view text, double size) const {
    Line line;
    Pen pen;
    for (const char32_t point : decode_utf8(text)) {
      if (detail::is_invisible(point)) continue;
      if (file_) add_glyph(point, size, line, pen);
      else add_letters(point, size, line, pen);
    }
    line.origin = -pen.left;
    line.width = std::max(pen.right, static_cast<int>(std::ceil(pen.x))) - pen.left;
    return line;
  }

  /// Appends the built-in letters of a code point.
  void add_letters(char32_t point, double size, Line& line, Pen& pen) const {
    for (const char letter : detail::to_ascii(point < 0x20 ? U'?' : point)) {
      char word[2] = {letter, '\0'};
      line.glyphs.push_back({letter, pen.x});
      pen.x += detail::stb::stb_easy_font_width(word) * unit(size);
    }
  }
  /// Appends the glyph of a code point; control characters appear as ␊ and its like.
  void add_glyph(char32_t point, double size, Line& line, Pen& pen) const {
    const detail::stb::stbtt_fontinfo* const font = &file_->info;
    const auto shown = static_cast<int>(point < 0x20 ? 0x2400 + point : point);
    const int found = detail::stb::stbtt_FindGlyphIndex(font, shown);
    const int index = found >= 0 && found < font->numGlyphs ? found : 0;
    int advance = 0, bearing = 0;
    detail::stb::stbtt_GetGlyphHMetrics(font, index, &advance, &bearing);
    const Rect box = glyph_box({index, pen.x}, size);
    line.glyphs.push_back({index, pen.x});
    const int at = static_cast<int>(std::floor(pen.x));
    const int widest = static_cast<int>(4 * size);
    pen.left = std::min(pen.left, at + std::max(box.x, -widest));
    pen.right = std::max(pen.right, at + std::min(box.right(), widest));
    pen.x += std::min(pixels(advance, size), 4 * size);
  }

  /// The pixels that a glyph covers, relative to the whole pixel of its pen and to the baseline.
  Rect glyph_box(const Glyph& glyph, double size) const {
    const auto shift = static_cast<float>(glyph.x - std::floor(glyph.x));
    const float zoom = scale(size);
    int left = 0, top = 0, right = 0, bottom = 0;
    detail::stb::stbtt_GetGlyphBitmapBoxSubpixel(&file_->info, glyph.index, zoom, zoom, shift, 0,
                                                 &left, &top, &right, &bottom);
    return {left, top, right - left, bottom - top};
  }

  void draw_outline(const Glyph& glyph, int origin, double size, detail::Coverage& mask) const {
    const Rect box = glyph_box(glyph, size);
    if (box.empty() || box.width > 20 * size || box.height > 20 * size) return;
    const auto shift = static_cast<float>(glyph.x - std::floor(glyph.x));
    const float zoom = scale(size);
    detail::Coverage letter{box.width, box.height};
    detail::stb::stbtt_MakeGlyphBitmapSubpixel(&file_->info, letter.values.data(), letter.width,
                                               letter.height, letter.width, zoom, zoom, shift, 0,
                                               glyph.index);
    const int left = origin + static_cast<int>(std::floor(glyph.x)) + box.x;
    const int top = ascent(size) + box.y;
    for (int y = 0; y < letter.height; ++y)
      for (int x = 0; x < letter.width; ++x) mask.ink(left + x, top + y, letter.at(x, y));
  }

  void draw_segments(const Glyph& glyph, double size, detail::Coverage& mask) const {
    struct Corner {
      float x, y, z;
      std::uint8_t color[4];
    };
    std::array<Corner, 256> corners{};
    char word[2] = {static_cast<char>(glyph.index), '\0'};
    const int quads = detail::stb::stb_easy_font_print(0, 1, word, nullptr, corners.data(),
                                                       static_cast<int>(sizeof corners));
    const auto pixel = [&](float at) { return static_cast<int>(at) * unit(size); };
    for (std::size_t i = 0; i < static_cast<std::size_t>(quads); ++i) {
      const Corner& first = corners[4 * i];
      const Corner& last = corners[4 * i + 2];
      for (int y = pixel(first.y); y < pixel(last.y); ++y)
        for (int x = pixel(first.x); x < pixel(last.x); ++x)
          mask.ink(static_cast<int>(glyph.x) + x, y, 255);
    }
  }

  std::shared_ptr<const File> file_;
};

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
