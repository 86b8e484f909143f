// A program with stb of its own, declared and implemented before and after the library, in the same
// translation unit.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

#include <attn/plot.hpp>

#define STB_TRUETYPE_IMPLEMENTATION
#include <stb/stb_truetype.h>

#include <gtest/gtest.h>

namespace {

TEST(Stb, AProgramsOwnCopyStaysItsOwn) {
  const unsigned char pixels[3] = {1, 2, 3};
  int size = 0;
  unsigned char* png = stbi_write_png_to_mem(pixels, 3, 1, 1, 3, &size);
  ASSERT_NE(png, nullptr);
  STBIW_FREE(png);
  stbtt_fontinfo info{};
  EXPECT_NE(sizeof info, 0u);
  EXPECT_NE(reinterpret_cast<void*>(&stbi_write_png_to_func),
            reinterpret_cast<void*>(&attn::plot::detail::stb::stbi_write_png_to_func));
#ifdef STB_IMAGE_WRITE_STATIC
  FAIL() << "a setting of the library was left behind";
#endif
#ifdef STBI_WRITE_NO_STDIO
  FAIL() << "a setting of the library was left behind";
#endif
}

}  // namespace
