#pragma once

#include <attn/plot/color.hpp>
#include <cstdint>
#include <stdexcept>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace attn_test {

/// A PNG file, decoded by a reader that is independent of the writer.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb{};

  attn::plot::Color at(int x, int y) const {
    const std::size_t i = 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                               static_cast<std::size_t>(x));
    return {rgb[i], rgb[i + 1], rgb[i + 2]};
  }
};

inline Picture read_png(const std::vector<std::uint8_t>& bytes) {
  Picture picture;
  int channels = 0;
  stbi_uc* pixels = stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()),
                                          &picture.width, &picture.height, &channels, 3);
  if (pixels == nullptr) throw std::runtime_error(stbi_failure_reason());
  picture.rgb.assign(pixels, pixels + 3 * picture.width * picture.height);
  stbi_image_free(pixels);
  return picture;
}

}  // namespace attn_test
