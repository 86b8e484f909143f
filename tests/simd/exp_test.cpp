#include <gtest/gtest.h>

#include <attn/simd/exp.hpp>
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
    attn::simd::store(y.data() + i, n,
                      exp(attn::simd::load<attn::simd::Vector<T>>(x.data() + i, n, T(0))));
  });
  return y;
}

template <class T>
T exp_of(T x) {
  return exp(attn::simd::Vector<T>(x)).first();
}

// Eigen's vectorized exp(−inf) is 2.9e-39 in SIMD lanes. The test covers every lane of rows of 1 to
// 4 packets, and their tails.
TYPED_TEST(Exp, OfMinusInfinityIsExactlyZeroAtEveryPosition) {
  using T = TypeParam;
  const std::size_t packet = std::size_t(attn::simd::lanes<T>);
  for (std::size_t length = 1; length <= 4 * packet + 3; ++length)
    for (std::size_t at = 0; at < length; ++at) {
      std::vector<T> x(length, T(1));
      x[at] = -std::numeric_limits<T>::infinity();
      const std::vector<T> y = exp_of(x);
      for (std::size_t i = 0; i < length; ++i)
        ASSERT_EQ(y[i], i == at ? T(0) : exp_of(T(1))) << "length " << length << ", lane " << i;
    }
}

TYPED_TEST(Exp, FlushesSubnormalsToZero) {
  using T = TypeParam;
  const T smallest = std::numeric_limits<T>::min(), edge = std::log(smallest);
  EXPECT_EQ(exp_of(edge - T(1e-3)), T(0));
  EXPECT_EQ(exp_of(edge - T(5)), T(0));
  EXPECT_EQ(exp_of(std::numeric_limits<T>::lowest()), T(0));
  EXPECT_GE(exp_of(edge + T(1e-3)), smallest);
  EXPECT_EQ(exp_of(T(0)), T(1));
  EXPECT_EQ(exp_of(-T(0)), T(1));
}

TYPED_TEST(Exp, KeepsNaNAndOverflowsToInfinity) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  EXPECT_TRUE(std::isnan(exp_of(std::numeric_limits<T>::quiet_NaN())));
  EXPECT_EQ(exp_of(infinity), infinity);
  EXPECT_EQ(exp_of(std::numeric_limits<T>::max()), infinity);
  const T last = std::log(std::numeric_limits<T>::max());
  EXPECT_EQ(exp_of(last + T(0.01)), infinity);
  EXPECT_TRUE(std::isfinite(exp_of(last - T(0.01))));
}

template <class T>
T exp2_of(T x) {
  return exp2(attn::simd::Vector<T>(x)).first();
}
template <class T>
T tanh_of(T x) {
  return tanh(attn::simd::Vector<T>(x)).first();
}

TYPED_TEST(Exp, OfBaseTwoIsExactlyZeroOrNormal) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity(), smallest = std::numeric_limits<T>::min(),
          lowest = T(std::numeric_limits<T>::min_exponent - 1);
  EXPECT_EQ(exp2_of(-infinity), T(0));
  EXPECT_EQ(exp2_of(std::numeric_limits<T>::lowest()), T(0));
  EXPECT_TRUE(std::isnan(exp2_of(std::numeric_limits<T>::quiet_NaN())));
  for (T x = lowest - 3; x < lowest + 3; x += T(0.01))
    EXPECT_TRUE(exp2_of(x) == T(0) || exp2_of(x) >= smallest) << x;
  EXPECT_GT(exp2_of(lowest + 1), T(0));
  for (T n = lowest + 1; n <= 0; n += 1)
    EXPECT_EQ(exp2_of(n), std::exp2(n)) << "integer powers are exact";
}

TYPED_TEST(Exp, OfBaseTwoIsWithinTwoUlp) {
  using T = TypeParam;
  double worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const T x = T(-double(i) * (std::numeric_limits<T>::max_exponent - 3) / 400000.0);
    const long double exact = std::exp2(static_cast<long double>(x)),
                      ulp =
                          std::ldexp(1.0L, std::ilogb(exact) - std::numeric_limits<T>::digits + 1);
    worst = std::max(worst, double(std::abs(static_cast<long double>(exp2_of(x)) - exact) / ulp));
  }
  EXPECT_LT(worst, 2);
  EXPECT_GT(worst, 0.3);
}

TYPED_TEST(Exp, TanhIsWithinFourUlp) {
  using T = TypeParam;
  double worst = 0;
  for (int i = -300000; i <= 300000; ++i) {
    const T x = T(i % 3 == 0   ? i * 1e-4
                  : i % 3 == 1 ? i * 1e-5
                               : std::pow(10.0, -30.0 + 0.0001 * std::abs(i)) * (i < 0 ? -1 : 1));
    const long double exact = std::tanh(static_cast<long double>(x));
    if (exact == 0) continue;
    const long double ulp =
        std::ldexp(1.0L, std::ilogb(exact) - std::numeric_limits<T>::digits + 1);
    worst = std::max(worst, double(std::abs(static_cast<long double>(tanh_of(x)) - exact) / ulp));
  }
  EXPECT_LT(worst, 4);
  EXPECT_GT(worst, 0.4);
  const T infinity = std::numeric_limits<T>::infinity();
  EXPECT_EQ(tanh_of(infinity), T(1));
  EXPECT_EQ(tanh_of(-infinity), T(-1));
  EXPECT_TRUE(std::isnan(tanh_of(std::numeric_limits<T>::quiet_NaN())));
}

TYPED_TEST(Exp, OfASingleAgreesWithThatOfALane) {
  using T = TypeParam;
  using Single = attn::simd::Single<T>;
  const double tolerance =
      4 * double(std::numeric_limits<T>::epsilon());  // a Single uses no fused multiply-add
  for (T x = -30; x < 0; x += T(0.37)) {
    EXPECT_NEAR(double(exp2(Single(x)).first() / exp2_of(x)), 1, tolerance);
    EXPECT_NEAR(double(exp(Single(x)).first() / exp_of(x)), 1, tolerance);
    EXPECT_NEAR(double(tanh(Single(x)).first() / tanh_of(x)), 1, tolerance);
  }
}

TEST(ExpAccuracy, FloatIsWithinTwoUlpEverywhere) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 997) {
    const float x = std::bit_cast<float>(std::uint32_t(bits));
    if (!(x > -87.33f && x < 88.72f)) continue;
    const double exact = std::exp(double(x)), ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(double(exp_of(x)) - exact) / ulp);
  }
  EXPECT_LT(worst, 2);
  EXPECT_GT(worst, 0.4) << "the error was not measured";
}

TEST(ExpAccuracy, DoubleIsWithinTwoUlpEverywhere) {
  double worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const double x = (i % 2 ? 1.0 : 0.01) * (-708.0 + 1417.0 * i / 400000.0);
    const long double exact = std::exp(static_cast<long double>(x)),
                      ulp = std::ldexp(1.0L, std::ilogb(exact) - 52);
    worst = std::max(worst, double(std::abs(static_cast<long double>(exp_of(x)) - exact) / ulp));
  }
  EXPECT_LT(worst, 2);
}

}  // namespace
