#pragma once

#include <algorithm>
#include <array>
#include <attn/files/utf8.hpp>
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

/// One line of text as pixels: a TrueType font, anti-aliased, or the built-in letters, which are
/// ASCII on a grid of 7 × 11. A size is pixels to the em. Every line of a size has the same height.
/// Copies share the font.
class Font {
 public:
  static Font built_in() { return Font{}; }

  /// A TrueType file, or nothing where it is not readable, or not sound.
  static std::optional<Font> load(const std::filesystem::path& path) {
    std::optional<Bytes> bytes = read_file(path);
    if (!bytes || !is_sound_truetype(*bytes)) return std::nullopt;
    auto file = std::make_shared<File>();
    file->bytes = std::move(*bytes);
    file->bytes.resize(file->bytes.size() +
                       (1 << 20));  // zeros: beyond what a 16-bit offset inside a table can reach
    if (!stb::stbtt_InitFont(&file->info, file->bytes.data(), 0)) return std::nullopt;
    Font font;
    font.file_ = std::move(file);
    return font;
  }

  /// The file that the environment variable ATTN_FONT names ("none": the built-in letters), else
  /// the first usual one, else built-in.
  static Font system() {
    const char* wanted = std::getenv("ATTN_FONT");
    if (wanted != nullptr && std::string_view(wanted) == "none") return built_in();
    std::optional<Font> font = wanted != nullptr ? load(wanted) : std::nullopt;
    for (const std::filesystem::path& path :
         font ? std::vector<std::filesystem::path>{} : usual_fonts())
      if ((font = load(path))) break;
    return font ? *font : built_in();
  }

  bool is_built_in() const { return file_ == nullptr; }
  int height(double size) const { return file_ ? ascent(size) + descent(size) : 11 * unit(size); }
  int width(std::string_view text, double size) const { return shape(text, size).width; }

  /// The text, or its beginning and … where it is wider than `room` pixels.
  std::string shorten(const std::string& text, double size, int room) const {
    if (width(text, size) <= room) return text;
    std::u32string points = decode_utf8(text);
    std::size_t low = 0, high = points.size();
    while (low < high) {
      const std::size_t middle = (low + high + 1) / 2;
      if (width(encode_utf8(std::u32string_view(points).substr(0, middle)) + "…", size) <= room)
        low = middle;
      else high = middle - 1;
    }
    return encode_utf8(points.substr(0, low)) + "…";
  }

  /// The ink of the text: `width(text, size)` × `height(size)` pixels.
  Coverage render(std::string_view text, double size) const {
    const Line line = shape(text, size);
    Coverage mask{line.width, height(size)};
    for (const Glyph& glyph : line.glyphs)
      file_ ? draw_outline(glyph, line.origin, size, mask) : draw_segments(glyph, size, mask);
    return mask;
  }

 private:
  struct File {
    Bytes bytes;
    stb::stbtt_fontinfo info{};
  };
  struct Glyph {
    int index = 0;  ///< in the file, or an ASCII code
    double x = 0;
  };
  struct Line {
    std::vector<Glyph> glyphs{};
    int origin = 0, width = 0;  ///< ink may begin left of where the pen does
  };

  static int unit(double size) { return std::max(1, static_cast<int>(size * 1.17 / 11)); }
  float scale(double size) const {
    return stb::stbtt_ScaleForMappingEmToPixels(&file_->info, static_cast<float>(size));
  }
  double pixels(int units, double size) const { return units * static_cast<double>(scale(size)); }
  /// Room above and below the base line; a font that claims odd ones gets no more than 1.4 and 0.6
  /// em.
  int ascent(double size) const {
    int above = 0, below = 0, gap = 0;
    stb::stbtt_GetFontVMetrics(&file_->info, &above, &below, &gap);
    return static_cast<int>(std::ceil(std::clamp(pixels(above, size), 0.7 * size, 1.4 * size)));
  }
  int descent(double size) const {
    int above = 0, below = 0, gap = 0;
    stb::stbtt_GetFontVMetrics(&file_->info, &above, &below, &gap);
    return static_cast<int>(std::ceil(std::clamp(pixels(-below, size), 0.2 * size, 0.6 * size)));
  }

  Line shape(std::string_view text, double size) const {
    Line line;
    double pen = 0;
    int left = 0, right = 0;
    for (char32_t point : decode_utf8(text)) {
      if (is_invisible(point)) continue;
      if (point < 0x20) point = file_ ? 0x2400 + point : U'?';  // ␊ and its like
      if (!file_) {
        for (const char letter : to_ascii(point)) {
          char word[2] = {letter, '\0'};
          line.glyphs.push_back({letter, pen});
          pen += stb::stb_easy_font_width(word) * unit(size);
        }
        continue;
      }
      const int found = stb::stbtt_FindGlyphIndex(&file_->info, static_cast<int>(point)),
                index = found >= 0 && found < file_->info.numGlyphs ? found : 0;
      int advance = 0, bearing = 0, x0 = 0, y0 = 0, x1 = 0, y1 = 0;
      stb::stbtt_GetGlyphHMetrics(&file_->info, index, &advance, &bearing);
      const double whole = std::floor(pen);
      stb::stbtt_GetGlyphBitmapBoxSubpixel(&file_->info, index, scale(size), scale(size),
                                           static_cast<float>(pen - whole), 0, &x0, &y0, &x1, &y1);
      line.glyphs.push_back({index, pen});
      const int widest = static_cast<int>(4 * size);
      left = std::min(left, static_cast<int>(whole) + std::max(x0, -widest));
      right = std::max(right, static_cast<int>(whole) + std::min(x1, widest));
      pen += std::min(pixels(advance, size), 4 * size);
    }
    line.origin = -left;
    line.width = std::max(right, static_cast<int>(std::ceil(pen))) - left;
    return line;
  }

  void draw_outline(const Glyph& glyph, int origin, double size, Coverage& mask) const {
    const double whole = std::floor(glyph.x);
    const float zoom = scale(size), shift = static_cast<float>(glyph.x - whole);
    int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    stb::stbtt_GetGlyphBitmapBoxSubpixel(&file_->info, glyph.index, zoom, zoom, shift, 0, &x0, &y0,
                                         &x1, &y1);
    if (x1 <= x0 || y1 <= y0 || x1 - x0 > 20 * size || y1 - y0 > 20 * size) return;
    Coverage letter{x1 - x0, y1 - y0};
    stb::stbtt_MakeGlyphBitmapSubpixel(&file_->info, letter.values.data(), letter.width,
                                       letter.height, letter.width, zoom, zoom, shift, 0,
                                       glyph.index);
    const int left = origin + static_cast<int>(whole) + x0, top = ascent(size) + y0;
    for (int y = 0; y < letter.height; ++y)
      for (int x = 0; x < letter.width; ++x) mask.ink(left + x, top + y, letter.at(x, y));
  }

  void draw_segments(const Glyph& glyph, double size, Coverage& mask) const {
    struct Corner {
      float x, y, z;
      std::uint8_t color[4];
    };
    std::array<Corner, 256> corners{};
    char word[2] = {static_cast<char>(glyph.index), '\0'};
    const int quads = stb::stb_easy_font_print(0, 1, word, nullptr, corners.data(),
                                               static_cast<int>(sizeof corners));
    for (std::size_t i = 0; i < static_cast<std::size_t>(quads); ++i) {
      const Corner &first = corners[4 * i], &last = corners[4 * i + 2];
      const auto pixel = [&](float at) { return static_cast<int>(at) * unit(size); };
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
