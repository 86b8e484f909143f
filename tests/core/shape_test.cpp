#include <gtest/gtest.h>

#include <attn/core/shape.hpp>
#include <vector>

#include "support/expect_error.hpp"
#include "support/huge_shape.hpp"

namespace {

using attn::Index;
using attn::Shape;

Index size_of(const std::vector<Index>& shape, Index element_size = 1) {
  return attn::checked_size(shape, element_size);
}

TEST(Shape, IsAnArrayOfIndices) { static_assert(std::is_same_v<Shape<4>, std::array<Index, 4>>); }

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

TEST(Shape, SizesUpToTheLargestIndexAreExact) {
  const Index most = std::numeric_limits<Index>::max();
  const Index root = Index{1} << index_bits / 2;
  EXPECT_EQ(size_of({most}), most);
  EXPECT_EQ(size_of({1, most, 1}), most);
  EXPECT_EQ(size_of({root, root}), Index{1} << (index_bits - 1));
  EXPECT_EQ(size_of({Index{1} << (index_bits - 3)}, 4), Index{1} << (index_bits - 3));
  const Index factor = index_bits == 63 ? 49 : 1;  // 2³¹ − 1 is a prime
  EXPECT_EQ(size_of({factor, most / factor}), most)
      << "2⁶³ − 1 = 7² · 188232082384791343 fits exactly";
  EXPECT_THROW(size_of({factor + 1, most / factor}), attn::ShapeError);
}

TEST(Shape, SizesBeyondTheLargestIndexAreRefused) {
  EXPECT_EQ(sentence_of<attn::ShapeError>([] { size_of({huge, huge}); }), too_huge({huge, huge}));
  const Index quarter = Index{1} << (index_bits - 2);
  EXPECT_EQ(sentence_of<attn::ShapeError>([=] { size_of({quarter}, 4); }), too_huge({quarter}));
  EXPECT_THROW(size_of({2 * quarter, 2}), attn::ShapeError) << "2⁶³ is one too large";
  const Index root = Index{1} << index_bits / 2;
  EXPECT_THROW(size_of({3, root, root}), attn::ShapeError)
      << "the product wraps to a positive value";
  EXPECT_THROW(size_of({0, huge, huge}), attn::ShapeError)
      << "an extent of 0 does not permit others that are too large";
  EXPECT_THROW(size_of({huge, huge, 0}), attn::ShapeError);
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
