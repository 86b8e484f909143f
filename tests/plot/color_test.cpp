#include <gtest/gtest.h>
#include <attn/plot/color.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace {

using attn::plot::Color;
using attn::plot::ColorMap;
using attn::plot::rgb;
using attn::plot::detail::color_at;

double luminance(Color color) {  // CIE lightness L*
  const auto linear = [](std::uint8_t channel) {
    const double v = channel / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 116 * std::cbrt(0.2126 * linear(color.red) + 0.7152 * linear(color.green) +
                         0.0722 * linear(color.blue)) -
         16;
}

// matplotlib.colors.to_hex(matplotlib.colormaps["viridis"](x))
TEST(Color, ViridisIsMatplotlibs) {
  const std::pair<double, std::uint32_t> published[] = {
      {0, 0x440154},   {0.1, 0x482475},  {0.25, 0x3b528b}, {0.3, 0x355f8d}, {0.5, 0x21918c},
      {0.6, 0x22a884}, {0.75, 0x5ec962}, {0.9, 0xbddf26},  {1, 0xfde725}};
  for (const auto& [fraction, hex] : published)
    EXPECT_EQ(color_at(ColorMap::viridis, fraction), rgb(hex)) << fraction;
}

TEST(Color, ViridisGrowsInLightnessEvenly) {
  const double low = luminance(color_at(ColorMap::viridis, 0));
  const double high = luminance(color_at(ColorMap::viridis, 1));
  for (int i = 0; i < 256; ++i)
    EXPECT_NEAR(luminance(color_at(ColorMap::viridis, i / 255.0)), low + (high - low) * i / 255,
                2.0)
        << i;
}

// matplotlib.colors.to_hex(matplotlib.colormaps["coolwarm"](x)), whose steps are one 256th
TEST(Color, CoolwarmIsMatplotlibs) {
  const std::pair<double, std::uint32_t> published[] = {
      {0, 0x3b4cc0},   {0.1, 0x5977e3},  {0.25, 0x8db0fe}, {0.5, 0xdddcdc},
      {0.6, 0xf2cbb7}, {0.75, 0xf4987a}, {1, 0xb40426}};
  for (const auto& [fraction, hex] : published) {
    const Color got = color_at(ColorMap::coolwarm, fraction), expected = rgb(hex);
    EXPECT_NEAR(got.red, expected.red, 3) << fraction;
    EXPECT_NEAR(got.green, expected.green, 3) << fraction;
    EXPECT_NEAR(got.blue, expected.blue, 3) << fraction;
  }
  EXPECT_EQ(color_at(ColorMap::coolwarm, 0.5), rgb(0xdddddd));
}

TEST(Color, OutsideOfTheRangeIsItsNearerEndAndNanIsGray) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const ColorMap map : {ColorMap::viridis, ColorMap::coolwarm}) {
    EXPECT_EQ(color_at(map, -infinity), color_at(map, 0));
    EXPECT_EQ(color_at(map, -0.1), color_at(map, 0));
    EXPECT_EQ(color_at(map, infinity), color_at(map, 1));
    EXPECT_EQ(color_at(map, std::nan("")), attn::plot::detail::ink::missing);
    for (int i = 0; i <= 256; ++i)
      EXPECT_NE(color_at(map, i / 256.0), attn::plot::detail::ink::missing);
  }
}

}  // namespace
