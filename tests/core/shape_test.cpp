#include <gtest/gtest.h>

#include <attn/core/shape.hpp>
#include <vector>

#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::Shape;

Index size_of(const std::vector<Index>& shape, Index element_size = 1) {
  return attn::checked_size(shape, element_size);
}

TEST(Shape, IsAnArrayOf64BitIndices) {
  static_assert(std::is_same_v<Shape<4>, std::array<Index, 4>>);
  static_assert(std::is_signed_v<Index> && sizeof(Index) == 8);
}

TEST(Shape, PrintsAsATuple) {
  EXPECT_EQ(attn::to_string(Shape<4>{2, 8, 16, 64}), "(2, 8, 16, 64)");
  EXPECT_EQ(attn::to_string(Shape<1>{5}), "(5)");
  EXPECT_EQ(attn::to_string(std::vector<Index>{}), "()");
  EXPECT_EQ(attn::to_string(Shape<2>{-3, 0}), "(-3, 0)");
}

TEST(Shape, SizeIsTheProduct) {
  EXPECT_EQ(size_of({2, 3, 4}), 24);
  EXPECT_EQ(size_of({7}), 7);
  EXPECT_EQ(size_of({}), 1);
  EXPECT_EQ(size_of({2, 0, 4}), 0);
  EXPECT_EQ(size_of({0}), 0);
}

TEST(Shape, SizesUpTo63BitsAreExact) {
  const Index most = std::numeric_limits<Index>::max();
  EXPECT_EQ(size_of({most}), most);
  EXPECT_EQ(size_of({1, most, 1}), most);
  EXPECT_EQ(size_of({Index{1} << 31, Index{1} << 31}), Index{1} << 62);
  EXPECT_EQ(size_of({Index{1} << 60}, 4), Index{1} << 60);
  EXPECT_EQ(size_of({49, Index{188232082384791343}}), most)
      << "2⁶³ − 1 = 7² · 188232082384791343 fits exactly";
}

TEST(Shape, SizesBeyond64BitsAreRefused) {
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              size_of({4294967296, 4294967296});
            }),
            "Tensor: shape (4294967296, 4294967296) has more elements than 64 bits can address");
  EXPECT_EQ(sentence_of<attn::ShapeError>([] { size_of({Index{1} << 61}, 4); }),
            "Tensor: shape (2305843009213693952) has more elements than 64 bits can address");
  EXPECT_THROW(size_of({Index{1} << 62, 2}), attn::ShapeError) << "2⁶³ is one too large";
  EXPECT_THROW(size_of({50, Index{188232082384791343}}), attn::ShapeError);
  EXPECT_THROW(size_of({3, Index{1} << 31, Index{1} << 31}), attn::ShapeError)
      << "the product wraps to a positive value";
  EXPECT_THROW(size_of({0, Index{1} << 32, Index{1} << 32}), attn::ShapeError)
      << "an extent of 0 does not permit others that are too large";
  EXPECT_THROW(size_of({Index{1} << 32, Index{1} << 32, 0}), attn::ShapeError);
}

TEST(Shape, NegativeExtentsAreRefused) {
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              size_of({2, -1, 3});
            }),
            "Tensor: shape (2, -1, 3) must have no negative extent");
  EXPECT_THROW(size_of({0, -1}), attn::ShapeError);
  EXPECT_THROW(size_of({-2, -3}), attn::ShapeError) << "although the product is positive";
  EXPECT_THROW(size_of({std::numeric_limits<Index>::min()}), attn::ShapeError);
}

TEST(Shape, RowMajorStrides) {
  EXPECT_EQ(attn::detail::row_major_strides(Shape<4>{2, 3, 4, 5}), (Shape<4>{60, 20, 5, 1}));
  EXPECT_EQ(attn::detail::row_major_strides(Shape<1>{9}), (Shape<1>{1}));
  EXPECT_EQ(attn::detail::row_major_strides(Shape<3>{2, 0, 3}).back(), 1);
}

}  // namespace
