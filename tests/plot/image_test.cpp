#include <gtest/gtest.h>
#include <attn/plot/image.hpp>

#include "png_reader.hpp"

namespace {

using attn::plot::Image;
using attn::plot::Rect;
using attn::plot::rgb;
using attn::plot::detail::Coverage;

TEST(Image, RectanglesOverlapWhereTheyHaveAPixelInCommon) {
  const Rect a{0, 0, 10, 5};
  EXPECT_FALSE(a.overlaps({10, 0, 3, 3}));
  EXPECT_FALSE(a.overlaps({0, 5, 3, 3}));
  EXPECT_TRUE(a.overlaps({9, 4, 3, 3}));
  EXPECT_FALSE(a.overlaps({3, 3, 0, 3}));
  EXPECT_TRUE(a.contains({9, 4, 1, 1}));
  EXPECT_FALSE(a.contains({9, 4, 2, 1}));
  EXPECT_EQ(unite(a, {-2, 3, 4, 7}), (Rect{-2, 0, 12, 10}));
  EXPECT_EQ(unite(a, {90, 90, 0, 0}), a);
}

TEST(Image, FillsAndClipsAtTheBorder) {
  Image image(8, 6);
  image.fill({6, 4, 100, 100}, rgb(0x102030));
  image.fill({-5, -5, 6, 6}, rgb(0x405060));
  EXPECT_EQ(image.at(7, 5), rgb(0x102030));
  EXPECT_EQ(image.at(5, 5), attn::plot::detail::ink::paper);
  EXPECT_EQ(image.at(0, 0), rgb(0x405060));
  EXPECT_EQ(image.at(1, 0), attn::plot::detail::ink::paper);
}

TEST(Image, StampsInkHorizontallyAndVertically) {
  Coverage mask{3, 2};
  mask.ink(0, 0, 255);
  mask.ink(2, 1, 128);
  mask.ink(9, 9, 255);
  Image along(5, 5), upwards(5, 5);
  along.stamp(mask, 1, 1, rgb(0x000000));
  EXPECT_EQ(along.at(1, 1), rgb(0x000000));
  EXPECT_EQ(along.at(3, 2), rgb(0x7f7f7f));
  upwards.stamp(mask, 1, 1, rgb(0x000000), true);
  EXPECT_EQ(upwards.at(1, 3), rgb(0x000000));  // the text begins below
  EXPECT_EQ(upwards.at(2, 1), rgb(0x7f7f7f));
}

TEST(Image, PngIsReadBackPixelByPixel) {
  Image image(67, 41);
  for (int y = 0; y < 41; ++y)
    for (int x = 0; x < 67; ++x)
      image.fill({x, y, 1, 1}, {std::uint8_t(3 * x), std::uint8_t(5 * y), std::uint8_t(x * y)});
  const attn_test::Picture picture = attn_test::read_png(image.png());
  ASSERT_EQ(picture.width, 67);
  ASSERT_EQ(picture.height, 41);
  for (int y = 0; y < 41; ++y)
    for (int x = 0; x < 67; ++x) ASSERT_EQ(picture.at(x, y), image.at(x, y)) << x << " " << y;
}

TEST(Image, ImpossibleSizesAreErrors) {
  EXPECT_THROW(Image(0, 5), attn::ShapeError);
  EXPECT_THROW(Image(5, -1), attn::ShapeError);
  EXPECT_THROW(Image(100000, 100000), attn::ShapeError);
}

}  // namespace
