#pragma once

#include <algorithm>
#include <attn/core/error.hpp>
#include <attn/plot/color.hpp>
#include <attn/plot/stb.hpp>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// The pixels from (x, y) up to, but without, (right, bottom); x counts to the right, y down.
struct Rect {
  int x = 0, y = 0, width = 0, height = 0;

  int right() const { return x + width; }
  int bottom() const { return y + height; }
  bool empty() const { return width <= 0 || height <= 0; }
  Rect moved(int dx, int dy) const { return {x + dx, y + dy, width, height}; }
  bool overlaps(const Rect& other) const {
    return !empty() && !other.empty() && x < other.right() && other.x < right() &&
           y < other.bottom() && other.y < bottom();
  }
  bool contains(const Rect& other) const {
    return x <= other.x && y <= other.y && other.right() <= right() && other.bottom() <= bottom();
  }

  /// The smallest rectangle that contains both. An empty rectangle contributes nothing.
  friend Rect unite(const Rect& a, const Rect& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    const int left = std::min(a.x, b.x);
    const int top = std::min(a.y, b.y);
    return {left, top, std::max(a.right(), b.right()) - left,
            std::max(a.bottom(), b.bottom()) - top};
  }
  friend bool operator==(const Rect&, const Rect&) = default;
};

namespace detail {

/// How much of each pixel is covered, 0 to 255: text and lines before they have a color.
struct Coverage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> values =
      std::vector<std::uint8_t>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));

  bool holds(int x, int y) const { return x >= 0 && y >= 0 && x < width && y < height; }
  std::uint8_t& at(int x, int y) {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
  std::uint8_t at(int x, int y) const { return const_cast<Coverage&>(*this).at(x, y); }
  /// Raises a pixel to `value`, if it is lower. Pixels outside of the mask are ignored.
  void ink(int x, int y, std::uint8_t value) {
    if (holds(x, y)) at(x, y) = std::max(at(x, y), value);
  }
};

}  // namespace detail

/// Width × height pixels, which are initially white.
/// Errors: ShapeError for more than 2³¹ bytes.
class Image {
 public:
  Image(int width, int height) : width_(width), height_(height) {
    if (width <= 0 || height <= 0 || std::int64_t{width} * height > INT32_MAX / 3)
      throw ShapeError("Image: " + std::to_string(width) + " × " + std::to_string(height) +
                       " pixels must be at least 1 and at most 715827882 in all");
    pixels_.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                   detail::ink::paper);
  }

  int width() const { return width_; }
  int height() const { return height_; }
  Color* row(int y) {
    return pixels_.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width_);
  }
  Color at(int x, int y) const {
    return pixels_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                   static_cast<std::size_t>(x)];
  }

  void fill(const Rect& area, Color color) {
    const int left = std::max(area.x, 0);
    const int right = std::min(area.right(), width_);
    for (int y = std::max(area.y, 0); y < std::min(area.bottom(), height_); ++y)
      if (left < right) std::fill(row(y) + left, row(y) + right, color);
  }

  /// Applies the color through the mask, whose corner lies at (x, y). With `vertical`, the mask is
  /// rotated such that its text reads upwards.
  void stamp(const detail::Coverage& mask, int x, int y, Color color, bool vertical = false) {
    for (int v = 0; v < mask.height; ++v)
      for (int u = 0; u < mask.width; ++u) {
        const int px = vertical ? x + v : x + u;
        const int py = vertical ? y + mask.width - 1 - u : y + v;
        if (mask.at(u, v) == 0 || px < 0 || py < 0 || px >= width_ || py >= height_) continue;
        row(py)[px] = detail::mix(row(py)[px], color, mask.at(u, v) / 255.0);
      }
  }

  /// The bytes of a PNG file.
  std::vector<std::uint8_t> png() const {
    static_assert(sizeof(Color) == 3);
    std::vector<std::uint8_t> bytes;
    const auto append = [](void* context, void* data, int size) {
      auto& target = *static_cast<std::vector<std::uint8_t>*>(context);
      const auto* begin = static_cast<const std::uint8_t*>(data);
      target.insert(target.end(), begin, begin + size);
    };
    if (!detail::stb::stbi_write_png_to_func(append, &bytes, width_, height_, 3, pixels_.data(),
                                             3 * width_))
      throw std::bad_alloc();
    return bytes;
  }

 private:
  int width_, height_;
  std::vector<Color> pixels_;
};

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
