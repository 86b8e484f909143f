#include <gtest/gtest.h>

#include <attn/core/nested.hpp>

#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::Shape;
using attn::Tensor;

TEST(Nested, HaveUpToFourAxes) {
  const Tensor<float, 1> a = attn::tensor<float>({1, 2, 3});
  const Tensor<float, 2> b = attn::tensor<float>({{1, 2, 3}, {4, 5, 6}});
  const Tensor<double, 3> c = attn::tensor<double>({{{1, 2}, {3, 4}, {5, 6}}});
  const Tensor<int, 4> d =
      attn::tensor<int>({{{{1, 2}}, {{3, 4}}, {{5, 6}}}, {{{7, 8}}, {{9, 10}}, {{11, 12}}}});
  EXPECT_EQ(a.shape(), (Shape<1>{3}));
  EXPECT_EQ(b.shape(), (Shape<2>{2, 3}));
  EXPECT_EQ(c.shape(), (Shape<3>{1, 3, 2}));
  EXPECT_EQ(d.shape(), (Shape<4>{2, 3, 1, 2}));
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(a.data()[i], static_cast<float>(i + 1));
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(b.data()[i], static_cast<float>(i + 1));
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(c.data()[i], static_cast<double>(i + 1));
  for (Index i = 0; i < 12; ++i) EXPECT_EQ(d.data()[i], i + 1);
}

TEST(Nested, BracesAroundASingleValueAreAnAxis) {
  EXPECT_EQ(attn::tensor<float>({1}).shape(), (Shape<1>{1}));
  EXPECT_EQ(attn::tensor<float>({{1}}).shape(), (Shape<2>{1, 1}));
  EXPECT_EQ(attn::tensor<float>({{1}, {2}}).shape(), (Shape<2>{2, 1}));
  EXPECT_EQ(attn::tensor<float>({{{1}}}).shape(), (Shape<3>{1, 1, 1}));
  EXPECT_EQ(attn::tensor<float>({{{1}, {2}}}).shape(), (Shape<3>{1, 2, 1}));
  EXPECT_EQ(attn::tensor<float>({{{{1}}}}).shape(), (Shape<4>{1, 1, 1, 1}));
}

TEST(Nested, HoldVariablesAndBooleans) {
  const float x = 2, y = 3;
  EXPECT_EQ(attn::tensor<float>({{x, y}, {y, x}})(1, 0), 3);
  EXPECT_EQ(attn::tensor<bool>({{true, false}, {false, true}})(1, 1), true);
  EXPECT_EQ(attn::tensor<Index>({5, 6})(1), 6);
}

TEST(Nested, MayBeEmpty) {
  EXPECT_EQ((attn::detail::tensor_of<float, 2>({{}, {}}).shape()), (Shape<2>{2, 0}));
  EXPECT_EQ((attn::detail::tensor_of<float, 3>({}).shape()), (Shape<3>{0, 0, 0}));
}

TEST(Nested, MustNotBeRagged) {
  const auto sentence = [](auto&& make) { return sentence_of<attn::ShapeError>(make); };
  EXPECT_EQ(sentence([] {
              attn::tensor<float>({{1, 2, 3}, {4, 5}});
            }),
            "tensor: braces around 2 entries stand beside braces around 3");
  EXPECT_EQ(sentence([] {
              attn::tensor<float>({{1}, {2, 3}});
            }),
            "tensor: braces around 2 entries stand beside braces around 1");
  EXPECT_EQ(sentence([] {
              attn::tensor<float>({{{1, 2}, {3, 4}}, {{5, 6}}});
            }),
            "tensor: braces around 1 entries stand beside braces around 2");
  EXPECT_THROW((attn::detail::tensor_of<float, 2>({{}, {1}})), attn::ShapeError);
}

}  // namespace
