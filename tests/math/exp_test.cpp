#include <attn/math/exp.hpp>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

template <class T>
class Exp : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Exp, Scalars);

template <class T>
std::vector<T> exp_of(const std::vector<T>& x) {
  std::vector<T> y(x.size());
  attn::simd::for_each_packet<T>(attn::Index(x.size()), [&](attn::Index i, attn::Index n) {
    attn::simd::store(y.data() + i, n, exp(attn::simd::load<attn::simd::Vector<T>>(x.data() + i, n, T(0))));
  });
  return y;
}

// The trap: Eigen's vectorised exp(−inf) is 2.9e-39 in SIMD lanes. Every lane of rows of 1 to 4 packets, and their tails.
TYPED_TEST(Exp, OfMinusInfinityIsExactlyZeroAtEveryPosition) {
  using T = TypeParam;
  const std::size_t packet = std::size_t(attn::simd::lanes<T>);
  for (std::size_t length = 1; length <= 4 * packet + 3; ++length)
    for (std::size_t at = 0; at < length; ++at) {
      std::vector<T> x(length, T(1));
      x[at] = -std::numeric_limits<T>::infinity();
      const std::vector<T> y = exp_of(x);
      for (std::size_t i = 0; i < length; ++i) ASSERT_EQ(y[i], i == at ? T(0) : attn::exp(T(1))) << "length " << length << ", lane " << i;
    }
}

TYPED_TEST(Exp, FlushesSubnormalsToZero) {
  using T = TypeParam;
  const T smallest = std::numeric_limits<T>::min(), edge = std::log(smallest);
  EXPECT_EQ(attn::exp(edge - T(1e-3)), T(0));
  EXPECT_EQ(attn::exp(edge - T(5)), T(0));
  EXPECT_EQ(attn::exp(std::numeric_limits<T>::lowest()), T(0));
  EXPECT_GE(attn::exp(edge + T(1e-3)), smallest);
  EXPECT_EQ(attn::exp(T(0)), T(1));
  EXPECT_EQ(attn::exp(-T(0)), T(1));
}

TYPED_TEST(Exp, KeepsNaNAndOverflowsToInfinity) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  EXPECT_TRUE(std::isnan(attn::exp(std::numeric_limits<T>::quiet_NaN())));
  EXPECT_EQ(attn::exp(infinity), infinity);
  EXPECT_EQ(attn::exp(std::numeric_limits<T>::max()), infinity);
  const T last = std::log(std::numeric_limits<T>::max());
  EXPECT_EQ(attn::exp(last + T(0.01)), infinity);
  EXPECT_TRUE(std::isfinite(attn::exp(last - T(0.01))));
}

TEST(ExpAccuracy, FloatIsWithinTwoUlpEverywhere) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 997) {
    const float x = std::bit_cast<float>(std::uint32_t(bits));
    if (!(x > -87.33f && x < 88.72f)) continue;
    const double exact = std::exp(double(x)), ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(double(attn::exp(x)) - exact) / ulp);
  }
  EXPECT_LT(worst, 2);
  EXPECT_GT(worst, 0.4);  // it was measured at all
}

TEST(ExpAccuracy, DoubleIsWithinTwoUlpEverywhere) {
  double worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const double x = (i % 2 ? 1.0 : 0.01) * (-708.0 + 1417.0 * i / 400000.0);
    const long double exact = std::exp(static_cast<long double>(x)), ulp = std::ldexp(1.0L, std::ilogb(exact) - 52);
    worst = std::max(worst, double(std::abs(static_cast<long double>(attn::exp(x)) - exact) / ulp));
  }
  EXPECT_LT(worst, 2);
}

}  // namespace
