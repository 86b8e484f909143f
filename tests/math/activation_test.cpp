#include <gtest/gtest.h>
#include <attn/math/activation.hpp>

#include <cmath>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class Activations : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Activations, Scalars);

/// Numbers of all sizes: dense about 0, some far away.
template <class T>
Tensor<T, 1> numbers() {
  Tensor<T, 1> x({40001});
  for (Index i = 0; i < x.size(); ++i)
    x(i) = T(std::sinh(double(i - 20000) / 20000 * 5.3));  // −100 … 100
  return x;
}

/// The largest error, in units of the last place of the larger of |expected| and 1.
template <class T, class F>
double worst(const Tensor<T, 1>& y, F&& expected) {
  const Tensor<T, 1> x = numbers<T>();
  double most = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const long double want = expected((long double)(x(i)));
    const double error =
        double(std::abs((long double)(y(i)) - want) / std::max<long double>(1, std::abs(want)) /
               (long double)(std::numeric_limits<T>::epsilon()));
    most = error <= most ? most : error;  // a NaN is the worst
  }
  return most;
}

TYPED_TEST(Activations, AreTheirFormulas) {
  using T = TypeParam;
  const Tensor<T, 1> x = numbers<T>();
  const long double pi = 3.141592653589793238462643383279502884L;
  EXPECT_EQ(worst(attn::relu(x), [](long double v) { return v > 0 ? v : 0; }), 0);
  EXPECT_LT(worst(attn::gelu(x),
                  [](long double v) { return v * 0.5L * std::erfc(-v / std::sqrt(2.0L)); }),
            2);
  EXPECT_LT(worst(attn::gelu_tanh(x),
                  [&](long double v) {
                    return 0.5L * v *
                           (1 + std::tanh(std::sqrt(2 / pi) * (v + 0.044715L * v * v * v)));
                  }),
            4);
  EXPECT_LT(worst(attn::silu(x), [](long double v) { return v / (1 + std::exp(-v)); }), 3);
}

// ½·(1 + erf) has no digits left of the tail; what is small must be right as well.
TYPED_TEST(Activations, OfGeluTheTailKeepsItsDigits) {
  using T = TypeParam;
  for (const double v : {-1.0, -2.5, -4.0, -6.0, -9.0}) {
    Tensor<T, 1> x({1});
    x(0) = T(v);
    const double want = v * 0.5 * std::erfc(-v / std::sqrt(2.0));
    EXPECT_NEAR(double(attn::gelu(x)(0)) / want, 1,
                double(std::numeric_limits<T>::epsilon()) * (8 + v * v))
        << v;
  }
}

TYPED_TEST(Activations, AtTheEnds) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity(),
              nan = std::numeric_limits<T>::quiet_NaN();
  Tensor<T, 1> x({4});
  x(0) = infinity;
  x(1) = nan;
  x(2) = T(-1000);
  x(3) = T(-0.0);
  for (const auto activation : {attn::Activation::relu, attn::Activation::gelu,
                                attn::Activation::gelu_tanh, attn::Activation::silu}) {
    const Tensor<T, 1> y = attn::activate(activation, x);
    EXPECT_EQ(y(0), infinity);
    EXPECT_TRUE(std::isnan(y(1)));
    EXPECT_EQ(y(2), T(0));
    EXPECT_EQ(y(3), T(0));
  }
}

TYPED_TEST(Activations, AreBitwiseIdenticalWhereverAnElementLies) {
  using T = TypeParam;
  const Tensor<T, 1> x = numbers<T>();
  for (const auto activation : {attn::Activation::relu, attn::Activation::gelu,
                                attn::Activation::gelu_tanh, attn::Activation::silu}) {
    const Tensor<T, 1> all = attn::activate(activation, x);
    for (const Index begin : {1, 7, 16383, 39999})
      EXPECT_TRUE(same_bits(attn::activate(activation, x.slice(0, begin, 40001).copy()),
                            all.slice(0, begin, 40001).copy()));
  }
}

}  // namespace
