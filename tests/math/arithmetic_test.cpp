#include <gtest/gtest.h>
#include <attn/math/arithmetic.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class Arithmetic : public testing::Test {
 protected:
  attn::Random random{5};
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Arithmetic, Scalars);

TYPED_TEST(Arithmetic, OfEqualShapesIsElementByElement) {
  using T = TypeParam;
  const auto a = normal<T, 2>(this->random, {7, 13}), b = normal<T, 2>(this->random, {7, 13});
  EXPECT_EQ((a + b).matrix(), a.matrix() + b.matrix());
  EXPECT_EQ((a.view() + b).matrix(), a.matrix() + b.matrix());
  EXPECT_EQ((a - b).matrix(), a.matrix() - b.matrix());
  EXPECT_EQ((a * b).matrix(), a.matrix().cwiseProduct(b.matrix()));
  EXPECT_EQ((a / b).matrix(), a.matrix().cwiseQuotient(b.matrix()));
  EXPECT_EQ((-a).matrix(), -a.matrix());
}

TYPED_TEST(Arithmetic, WithANumberTakesItForEveryElement) {
  using T = TypeParam;
  const auto a = normal<T, 2>(this->random, {7, 13});
  const auto expect = [&](const Tensor<T, 2>& got, auto&& formula) {
    for (Index i = 0; i < a.size(); ++i) ASSERT_EQ(got.data()[i], formula(a.data()[i])) << i;
  };
  expect(a + 3, [](T x) { return x + T(3); });
  expect(0.1 + a, [](T x) { return x + T(0.1); });
  expect(a - 0.1f, [](T x) { return x - T(0.1f); });
  expect(2.5 - a, [](T x) { return T(2.5) - x; });
  expect(a * 0.3, [](T x) { return x * T(0.3); });
  expect(Index(7) * a, [](T x) { return x * T(7); });
  expect(a / 0.3, [](T x) { return x / T(0.3); });
  expect(0.3 / a, [](T x) { return T(0.3) / x; });
}

TYPED_TEST(Arithmetic, BroadcastsOverLeadingAxes) {
  using T = TypeParam;
  // A chunk of 16,384 elements ends within a row of c, and a period of c within a chunk.
  const auto a = normal<T, 3>(this->random, {5, 61, 67});
  const auto b = normal<T, 2>(this->random, {61, 67});
  const auto c = normal<T, 1>(this->random, {67});
  const Tensor<T, 3> sum = a + b, difference = b - a, quotient = a / c, product = c * a;
  const Tensor<T, 2> both = c - b;
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 61; ++j)
      for (Index k = 0; k < 67; ++k) {
        ASSERT_EQ(sum(i, j, k), a(i, j, k) + b(j, k));
        ASSERT_EQ(difference(i, j, k), b(j, k) - a(i, j, k));
        ASSERT_EQ(quotient(i, j, k), a(i, j, k) / c(k));
        ASSERT_EQ(product(i, j, k), c(k) * a(i, j, k));
        ASSERT_EQ(both(j, k), c(k) - b(j, k));
      }
  EXPECT_EQ((Tensor<T, 2>({3, 0}) + Tensor<T, 1>({0})).shape(), (attn::Shape<2>{3, 0}));
}

TYPED_TEST(Arithmetic, TakesTheMemoryOfAnRvalue) {
  using T = TypeParam;
  auto a = normal<T, 2>(this->random, {7, 13}), b = normal<T, 2>(this->random, {7, 13});
  const Tensor<T, 2> c = a, d = b;
  const T *left = a.data(), *right = b.data();
  const Tensor<T, 2> first = std::move(a) - d, second = c - std::move(b);
  EXPECT_EQ(first.data(), left);
  EXPECT_EQ(second.data(), right);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.matrix(), c.matrix() - d.matrix());
}

TEST(Arithmetic, RefusesOtherShapes) {
  const Tensor<float, 2> a({7, 13}), narrow({7, 12});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { (void)(a + narrow); }),
            "operands (7, 13) and (7, 12) must have the same shape");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              (void)(Tensor<float, 3>({2, 7, 12}) * a);
            }),
            "operands (2, 7, 12) and (7, 13) must have the same last axes, of which the second has "
            "fewer");
}

}  // namespace
