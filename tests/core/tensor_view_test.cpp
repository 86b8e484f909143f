#include <gtest/gtest.h>

#include <attn/core/nested.hpp>
#include <attn/core/tensor.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/expect_error.hpp"
#include "support/huge_shape.hpp"

namespace {

using attn::Index;
using attn::Shape;
using attn::Tensor;
using attn::TensorView;
using attn::view;

std::vector<float> count_to(std::size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST(TensorView, RefersToTheCallersMemory) {
  std::vector<float> memory = count_to(24);
  const TensorView<float, 3> x = view(memory.data(), {2, 3, 4});
  EXPECT_EQ(x.data(), memory.data());
  EXPECT_EQ(x.shape(), (Shape<3>{2, 3, 4}));
  EXPECT_EQ(x.strides(), (Shape<3>{12, 4, 1}));
  EXPECT_EQ(x.size(), 24);
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j)
      for (Index k = 0; k < 4; ++k) EXPECT_EQ(&x(i, j, k), memory.data() + 12 * i + 4 * j + k);
  x(1, 2, 3) = -1;
  EXPECT_EQ(memory[23], -1);
}

TEST(TensorView, GivesTheSameAccessWhetherConstOrNot) {
  static_assert(
      std::is_same_v<decltype(std::declval<const TensorView<float, 2>&>()(0, 0)), float&>);
  static_assert(
      std::is_same_v<decltype(std::declval<TensorView<const float, 2>&>()(0, 0)), const float&>);
  static_assert(std::is_convertible_v<TensorView<float, 2>, TensorView<const float, 2>>);
  static_assert(!std::is_convertible_v<TensorView<const float, 2>, TensorView<float, 2>>);
  static_assert(!std::is_convertible_v<TensorView<float, 2>, TensorView<float, 1>>);
  static_assert(
      !std::is_assignable_v<decltype(std::declval<TensorView<const float, 2>&>().matrix()(0, 0)),
                            float>);
  const std::vector<float> memory(6);
  static_assert(std::is_same_v<decltype(view(memory.data(), {2, 3})), TensorView<const float, 2>>);
}

TEST(TensorView, HasAnyStrides) {
  std::vector<float> memory = count_to(40);
  // Two matrices of 3×2 that lie in rows of 10, the second 5 to the right of the first.
  const TensorView<float, 3> x(memory.data(), {2, 3, 2}, {5, 10, 1});
  EXPECT_EQ(x(1, 2, 1), 26);
  EXPECT_EQ(x.matrix(1)(2, 1), 26);
  EXPECT_EQ(x.matrix(1).outerStride(), 10);
  EXPECT_FALSE(x.is_contiguous());
  EXPECT_EQ(x.copy(),
            attn::tensor<float>({{{0, 1}, {10, 11}, {20, 21}}, {{5, 6}, {15, 16}, {25, 26}}}));
  EXPECT_EQ(x.permute({1, 0, 2}),
            attn::tensor<float>({{{0, 1}, {5, 6}}, {{10, 11}, {15, 16}}, {{20, 21}, {25, 26}}}));
  const TensorView<float, 2> repeated(memory.data() + 7, {3, 2}, {0, 1});
  EXPECT_EQ(repeated.copy(), attn::tensor<float>({{7, 8}, {7, 8}, {7, 8}}));
}

TEST(TensorView, WrongShapesAndStrides) {
  float x = 0;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              TensorView<float, 2>(&x, {1, 1}, {1, 2});
            }),
            "TensorView: the last of the strides (1, 2) must be 1");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              view(&x, {2, -3});
            }),
            "Tensor: shape (2, -3) must have no negative extent");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { view(&x, {huge, huge}); }), too_huge({huge, huge}));
  EXPECT_THROW((TensorView<float, 2>(&x, {-1, 1}, {1, 1})), attn::ShapeError);
  EXPECT_THROW((TensorView<float, 2>(&x, {huge, huge}, {0, 1})), attn::ShapeError);
}

TEST(TensorView, IndexingRemovesTheFirstAxis) {
  std::vector<float> memory = count_to(24);
  const auto x = view(memory.data(), {2, 3, 4});
  const TensorView<float, 2> second = x[1];
  EXPECT_EQ(second.shape(), (Shape<2>{3, 4}));
  EXPECT_EQ(second(2, 3), 23);
  EXPECT_EQ(x[1][2](3), 23);
  EXPECT_EQ(&x[1][2](3), &x(1, 2, 3));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x[2]; }),
            "TensorView: index 2 must be at least 0 and below the first extent of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x[-1]; }),
            "TensorView: index -1 must be at least 0 and below the first extent of (2, 3, 4)");
}

TEST(TensorView, SlicesAlongEveryAxis) {
  std::vector<float> memory = count_to(2 * 3 * 4 * 5);
  const auto x = view(memory.data(), {2, 3, 4, 5});
  for (int axis = 0; axis < 4; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    for (Index begin = 0; begin <= x.shape()[a]; ++begin)
      for (Index end = begin; end <= x.shape()[a]; ++end) {
        const TensorView<float, 4> part = x.slice(axis, begin, end);
        Shape<4> shape = x.shape(), at{};
        shape[a] = end - begin;
        ASSERT_EQ(part.shape(), shape);
        for (at[0] = 0; at[0] < shape[0]; ++at[0])
          for (at[1] = 0; at[1] < shape[1]; ++at[1])
            for (at[2] = 0; at[2] < shape[2]; ++at[2])
              for (at[3] = 0; at[3] < shape[3]; ++at[3]) {
                Shape<4> whole = at;
                whole[a] += begin;
                ASSERT_EQ(
                    part(at[0], at[1], at[2], at[3]),
                    static_cast<float>(((whole[0] * 3 + whole[1]) * 4 + whole[2]) * 5 + whole[3]));
              }
      }
  }
}

TEST(TensorView, ASliceIsAWindow) {
  std::vector<float> memory = count_to(24);
  const auto x = view(memory.data(), {2, 3, 4});
  x.slice(1, 1, 2).slice(2, 2, 4).matrix(1).setConstant(-1);
  EXPECT_EQ(std::count(memory.begin(), memory.end(), -1.0f), 2);
  EXPECT_EQ(memory[18], -1);
  EXPECT_EQ(memory[19], -1);
}

TEST(TensorView, WrongSlices) {
  std::vector<float> memory(24);
  const auto x = view(memory.data(), {2, 3, 4});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(3, 0, 1); }),
            "TensorView: slice axis 3 must be one of the axes of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(-1, 0, 1); }),
            "TensorView: slice axis -1 must be one of the axes of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(1, 1, 4); }),
            "TensorView: slice 1:4 must lie within axis 1 of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(1, -1, 2); }),
            "TensorView: slice -1:2 must lie within axis 1 of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(2, 3, 2); }),
            "TensorView: slice 3:2 must lie within axis 2 of (2, 3, 4)");
}

TEST(TensorView, Contiguity) {
  std::vector<float> memory(24);
  const auto x = view(memory.data(), {2, 3, 4});
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_TRUE(x.slice(0, 1, 2).is_contiguous());
  EXPECT_TRUE(x.slice(0, 1, 2).slice(1, 1, 3).is_contiguous())
      << "the stride of an extent of 1 does not matter";
  EXPECT_FALSE(x.slice(1, 0, 2).is_contiguous());
  EXPECT_FALSE(x.slice(2, 0, 3).is_contiguous());
  EXPECT_TRUE(x[1].slice(0, 1, 3).is_contiguous());
  EXPECT_TRUE(x.slice(2, 1, 1).is_contiguous()) << "nor has nothing";
}

TEST(TensorView, RowsOfTheWhole) {
  std::vector<float> memory = count_to(60);
  const auto x = view(memory.data(), {3, 4, 5});
  const auto expect_rows = [](const TensorView<float, 3>& part) {
    const auto rows = part.as_rows();
    ASSERT_EQ(rows.rows(), part.shape()[0] * part.shape()[1]);
    ASSERT_EQ(rows.cols(), part.shape()[2]);
    for (Index i = 0; i < part.shape()[0]; ++i)
      for (Index j = 0; j < part.shape()[1]; ++j)
        for (Index k = 0; k < part.shape()[2]; ++k)
          ASSERT_EQ(&rows(i * part.shape()[1] + j, k), &part(i, j, k));
  };
  expect_rows(x);
  expect_rows(x.slice(2, 1, 4));
  expect_rows(x.slice(0, 1, 3));
  expect_rows(x.slice(1, 3, 4));  // the last row of each sequence, as in decoding
  expect_rows(x.slice(0, 1, 2).slice(1, 2, 4));
  expect_rows(x.slice(0, 2, 3).slice(1, 2, 3));
  expect_rows(x.slice(1, 2, 2));
  EXPECT_EQ(x[1].as_rows()(2, 0), 30);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(1, 0, 2).as_rows(); }),
            "TensorView: strides (20, 5, 1) of (3, 2, 5) must let the rows be evenly spaced");
}

TEST(TensorView, ReshapeAndFlatKeepTheMemory) {
  std::vector<float> memory = count_to(24);
  const auto x = view(memory.data(), {2, 3, 4});
  const TensorView<float, 4> y = x.reshape({2, 3, 2, 2});
  EXPECT_EQ(&y(1, 2, 1, 1), &x(1, 2, 3));
  EXPECT_EQ(x.reshape({24})(17), 17);
  EXPECT_EQ(x.flat()(17), 17);
  EXPECT_EQ(x.slice(0, 1, 2).reshape({3, 4})(0, 0), 12);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              x.reshape({5, 5});
            }),
            "TensorView: reshape (5, 5) must keep the number of elements of (2, 3, 4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              x.reshape({-4, -6});
            }),
            "Tensor: shape (-4, -6) must have no negative extent");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(1, 0, 2).reshape({16}); }),
            "TensorView: reshape needs a contiguous view, but (2, 2, 4) has strides (12, 4, 1)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.slice(2, 0, 2).flat(); }),
            "TensorView: flat needs a contiguous view, but (2, 3, 2) has strides (12, 4, 1)");
}

TEST(TensorView, ComparesElementsWhateverTheStrides) {
  std::vector<float> memory = count_to(24), other(12, 99.0f);
  const auto x = view(memory.data(), {2, 3, 4}), part = x.slice(2, 1, 3);
  const Tensor<float, 3> copy = part.copy();
  EXPECT_TRUE(part == copy.view());
  EXPECT_TRUE(copy.view() == part) << "one is writable, the other read-only";
  memory[22] = -1;
  EXPECT_FALSE(part == copy.view());
  EXPECT_FALSE(x == part) << "the shapes differ";
  memory[22] = std::nanf("");
  EXPECT_FALSE(part == part) << "a NaN equals nothing";
  EXPECT_TRUE(x.slice(0, 0, 0) == x.slice(0, 1, 1));
}

TEST(TensorView, OfNothing) {
  const TensorView<float, 3> x = view(static_cast<float*>(nullptr), {2, 0, 4});
  EXPECT_EQ(x.size(), 0);
  EXPECT_EQ(x[1].size(), 0);
  EXPECT_EQ(x.matrix(1).rows(), 0);
  EXPECT_EQ(x.slice(2, 1, 3).size(), 0);
  EXPECT_EQ(x.copy().shape(), (Shape<3>{2, 0, 4}));
  EXPECT_EQ(x.permute({2, 0, 1}).shape(), (Shape<3>{4, 2, 0}));
  EXPECT_TRUE(x == x);
}

TEST(TensorView, LeadingAxesOfExtentOneCanBeAdded) {
  std::vector<float> memory = count_to(24);
  const auto x = view(memory.data(), {2, 3, 4}).slice(2, 1, 3);
  const TensorView<float, 4> y = attn::detail::with_leading_axes<4>(x);
  EXPECT_EQ(y.shape(), (Shape<4>{1, 2, 3, 2}));
  EXPECT_EQ(&y(0, 1, 2, 1), &x(1, 2, 1));
  EXPECT_EQ(y.as_rows().rows(), 6);
  EXPECT_EQ(attn::detail::with_leading_axes<3>(x).data(), x.data()) << "or none";
  EXPECT_EQ(attn::detail::with_leading_axes<3>(view(memory.data(), {5})).shape(),
            (Shape<3>{1, 1, 5}));
}

#if !defined(NDEBUG) && GTEST_HAS_DEATH_TEST
TEST(TensorViewDeathTest, ElementIndicesAreAsserted) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Tensor<float, 3> x({2, 3, 4});
  EXPECT_DEATH(x(0, 3, 0), "index");
  EXPECT_DEATH(x(0, 0, -1), "index");
  EXPECT_DEATH(x.matrix(2), "index");
}
#endif

}  // namespace
