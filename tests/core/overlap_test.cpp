#include <gtest/gtest.h>

#include <attn/core/overlap.hpp>
#include <attn/core/range.hpp>
#include <attn/core/tensor.hpp>

namespace {

using attn::Tensor, attn::TensorView, attn::detail::overlap;

TEST(Overlap, OfAViewWithItselfAndWithItsParts) {
  const Tensor<float, 3> x({2, 3, 4});
  EXPECT_TRUE(overlap(x.view(), x.view()));
  EXPECT_TRUE(overlap(x.view(), x[1]));
  EXPECT_TRUE(overlap(x[1][2], x.view()));
  EXPECT_TRUE(overlap(x.slice(1, 0, 2), x.slice(1, 1, 3))) << "both contain row 1";
  EXPECT_TRUE(overlap(x.slice(0, 0, 1), x.slice(0, 0, 1)));
}

TEST(Overlap, NeighborsDoNotOverlap) {
  const Tensor<float, 2> x({2, 4});
  EXPECT_FALSE(overlap(x[0], x[1]));
  EXPECT_FALSE(overlap(x[1], x[0]));
  const Tensor<float, 2> y({2, 4});
  EXPECT_FALSE(overlap(x.view(), y.view()));
}

TEST(Overlap, InterleavedViewsCountAsOverlapping) {
  const Tensor<float, 2> x({3, 8});
  EXPECT_TRUE(overlap(x.slice(1, 0, 4), x.slice(1, 4, 8)));
  EXPECT_FALSE(overlap(x.slice(1, 0, 4).slice(0, 0, 1), x.slice(1, 4, 8)));
}

TEST(Overlap, AnEmptyViewOverlapsNothing) {
  const Tensor<float, 2> x({3, 8});
  EXPECT_FALSE(overlap(x.slice(0, 1, 1), x.view()));
  EXPECT_FALSE(overlap(x.view(), x.slice(1, 8, 8)));
  EXPECT_FALSE(overlap(Tensor<float, 2>().view(), Tensor<float, 2>().view()));
}

TEST(Overlap, StridesMayBeNegativeOrZero) {
  float memory[12] = {};
  const TensorView<float, 2> backward(memory + 8, {3, 4}, {-4, 1});  // all 12 elements
  EXPECT_TRUE(overlap(backward, attn::view(memory, {1})));
  EXPECT_TRUE(overlap(backward, attn::view(memory + 11, {1})));
  const TensorView<float, 2> repeated(memory + 4, {3, 4}, {0, 1});  // elements 4 … 7
  EXPECT_FALSE(overlap(repeated, attn::view(memory, {4})));
  EXPECT_FALSE(overlap(repeated, attn::view(memory + 8, {4})));
  EXPECT_TRUE(overlap(repeated, attn::view(memory + 7, {1})));
}

TEST(Overlap, BetweenTypesAndNumbersOfAxes) {
  double memory[4] = {};
  const auto bytes = attn::view(reinterpret_cast<const unsigned char*>(memory), {32});
  EXPECT_TRUE(overlap(attn::view(memory, {2, 2}), bytes.slice(0, 31, 32)));
  EXPECT_FALSE(overlap(attn::view(memory, {1, 2}), bytes.slice(0, 16, 32)));
}

TEST(Range, HasTheSizeBetweenItsEnds) {
  EXPECT_EQ(attn::Range{}.size(), 0);
  EXPECT_EQ((attn::Range{3, 10}.size()), 7);
}

}  // namespace
