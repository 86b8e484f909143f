#include <gtest/gtest.h>
#include <attn/math/functions.hpp>
#include <attn/math/matmul.hpp>
#include <attn/math/rearrange.hpp>
#include <attn/math/reduction.hpp>
#include <attn/math/softmax.hpp>
#include <cmath>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

// Functions of plain tensors against plain loops; their gradients are in tests/autograd.
namespace {

using attn::Index, attn::Tensor;

TEST(Functions, AreThoseOfTheStandardLibrary) {
  attn::Random random{3};
  const auto x = normal<double, 2>(random, {9, 21});
  const Tensor<double, 2> positive = abs(x);
  const auto expect = [](const Tensor<double, 2>& got, const Tensor<double, 2>& from, auto&& f) {
    for (Index i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got.data()[i], f(from.data()[i]), 1e-14 * (1 + std::abs(f(from.data()[i]))));
  };
  expect(exp(x), x, [](double v) { return std::exp(v); });
  expect(log(positive), positive, [](double v) { return std::log(v); });
  expect(tanh(x), x, [](double v) { return std::tanh(v); });
  expect(sigmoid(x), x, [](double v) { return 1 / (1 + std::exp(-v)); });
  expect(sqrt(positive), positive, [](double v) { return std::sqrt(v); });
  expect(positive, x, [](double v) { return std::abs(v); });
}

TEST(Functions, HaveTheirLimits) {
  Tensor<float, 1> x({4});
  const float infinity = std::numeric_limits<float>::infinity();
  x(0) = -infinity;
  x(1) = infinity;
  x(2) = -200;
  x(3) = 200;
  const Tensor<float, 1> y = sigmoid(x);
  EXPECT_EQ(y(0), 0);
  EXPECT_EQ(y(1), 1);
  EXPECT_EQ(y(2), 0);
  EXPECT_EQ(y(3), 1);
}

TEST(Reductions, AreSumsOverAllOrOneAxis) {
  attn::Random random{4};
  const auto x = normal<double, 3>(random, {3, 4, 5});
  double all = 0;
  Tensor<double, 2> over[] = {Tensor<double, 2>({4, 5}), Tensor<double, 2>({3, 5}),
                              Tensor<double, 2>({3, 4})};
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 4; ++j)
      for (Index k = 0; k < 5; ++k) {
        all += x(i, j, k);
        over[0](j, k) += x(i, j, k);
        over[1](i, k) += x(i, j, k);
        over[2](i, j) += x(i, j, k);
      }
  EXPECT_NEAR(sum(x)(0), all, 1e-13);
  EXPECT_NEAR(mean(x)(0), all / 60, 1e-14);
  for (int axis = 0; axis < 3; ++axis) {
    const double extent = double(x.shape()[std::size_t(axis)]);
    EXPECT_LT(largest_gap(sum(x, axis), over[axis]), 1e-14);
    EXPECT_LT(largest_gap(mean(x, axis) * extent, over[axis]), 1e-14);
  }
  EXPECT_EQ(sum(Tensor<double, 2>({0, 3}), 0), (Tensor<double, 1>({3})));
  EXPECT_TRUE(std::isnan(mean(Tensor<float, 1>({0}))(0)));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { sum(x, 3); }),
            "sum: axis 3 must be one of the axes of (3, 4, 5)");
}

TEST(Reductions, AreBitwiseIdenticalForAnyNumberOfThreads) {
  attn::Random random{4};
  const auto x = normal<float, 1>(random, {100000});
  const float all = sum(x)(0);
  attn::set_num_threads(3);
  EXPECT_EQ(sum(x)(0), all);
  attn::set_executor(attn::Pool{});
}

TEST(Rearrange, MovesElements) {
  attn::Random random{5};
  const auto x = normal<float, 3>(random, {2, 3, 4});
  const Tensor<float, 2> flat = reshape(x, {6, 4});
  const Tensor<float, 3> turned = permute(x, {2, 0, 1}), part = slice(x, 1, 1, 3);
  const Tensor<float, 3> joined = concatenate(1, part, x, slice(x, 1, 0, 0));
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j)
      for (Index k = 0; k < 4; ++k) {
        EXPECT_EQ(flat(3 * i + j, k), x(i, j, k));
        EXPECT_EQ(turned(k, i, j), x(i, j, k));
        if (j > 0) {
          EXPECT_EQ(part(i, j - 1, k), x(i, j, k));
          EXPECT_EQ(joined(i, j - 1, k), x(i, j, k));
        }
        EXPECT_EQ(joined(i, 2 + j, k), x(i, j, k));
      }
  EXPECT_EQ(joined.shape(), (attn::Shape<3>{2, 5, 4}));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { concatenate(0, x, part); }),
            "concatenate: shapes (2, 3, 4) and (2, 2, 4) must differ on axis 0 only");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { concatenate(3, x, x); }),
            "concatenate: axis 3 must be one of the axes of (2, 3, 4)");
}

TEST(Matmul, IsTheProductOfEachMatrix) {
  attn::Random random{6};
  const auto a = normal<double, 4>(random, {2, 3, 5, 7});
  const auto b = normal<double, 4>(random, {2, 3, 7, 4});
  const auto shared = normal<double, 2>(random, {7, 4});
  const auto first = normal<double, 3>(random, {3, 6, 5});
  const Tensor<double, 4> c = matmul(a, b), d = matmul(a, shared), e = matmul(first, a);
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j) {
      EXPECT_TRUE(c.matrix(i, j).isApprox(a.matrix(i, j) * b.matrix(i, j), 1e-14));
      EXPECT_TRUE(d.matrix(i, j).isApprox(a.matrix(i, j) * shared.matrix(), 1e-14));
      EXPECT_TRUE(e.matrix(i, j).isApprox(first.matrix(j) * a.matrix(i, j), 1e-14));
    }
  EXPECT_EQ(matmul(Tensor<float, 2>({3, 0}), Tensor<float, 2>({0, 2})), (Tensor<float, 2>({3, 2})));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { matmul(a, first); }),
            "matmul: operands (2, 3, 5, 7) and (3, 6, 5) must be (…, m, k) and (…, k, n) with the "
            "same leading axes");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              matmul(a, normal<double, 3>(random, {2, 7, 4}));
            }),
            "matmul: operands (2, 3, 5, 7) and (2, 7, 4) must be (…, m, k) and (…, k, n) with the "
            "same leading axes");
}

TEST(SoftmaxOfTensors, IsThatOfEachRow) {
  attn::Random random{7};
  auto x = normal<double, 3>(random, {2, 3, 9});
  for (Index k = 0; k < 9; ++k) x(1, 1, k) = -std::numeric_limits<double>::infinity();
  const Tensor<double, 3> P = softmax(x);
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j) {
      double total = 0;
      for (Index k = 0; k < 9; ++k) total += std::exp(x(i, j, k));
      for (Index k = 0; k < 9; ++k)
        EXPECT_NEAR(P(i, j, k), total > 0 ? std::exp(x(i, j, k)) / total : 0, 1e-15);
    }
}

}  // namespace
