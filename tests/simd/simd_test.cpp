#include <gtest/gtest.h>

#include <attn/simd/simd.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace {

namespace simd = attn::simd;
using attn::Index;

template <class T>
class Simd : public testing::Test {
 protected:
  using Vector = simd::Vector<T>;
  static constexpr Index size = Vector::size;

  static std::vector<T> values(T first, T stride) {
    std::vector<T> x(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = first + stride * T(i);
    return x;
  }
  template <class Lanes>
  static std::vector<T> lanes(const Lanes& x) {
    std::vector<T> result(static_cast<std::size_t>(Lanes::size));
    simd::store(result.data(), x);
    return result;
  }
  /// `of_lanes` gives in every lane, and of a Single, what `of_scalars` gives of scalars.
  template <class F, class G>
  static void expect_same(F&& of_lanes, G&& of_scalars) {
    const std::vector<T> a = values(T(-3.25), T(1.5)), b = values(T(2), T(-0.75));
    const Vector result = of_lanes(simd::load<Vector>(a.data()), simd::load<Vector>(b.data()));
    const std::vector<T> got = lanes(result);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const T expected = T(of_scalars(a[i], b[i]));
      EXPECT_EQ(got[i], expected) << "lane " << i;
      const simd::Single<T> single = of_lanes(simd::Single<T>(a[i]), simd::Single<T>(b[i]));
      EXPECT_EQ(T(single), expected);
    }
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Simd, Scalars);

TYPED_TEST(Simd, ComputesInEveryLaneAsWithScalars) {
  using T = TypeParam;
  this->expect_same([](auto a, auto b) { return a + b; }, [](T a, T b) { return a + b; });
  this->expect_same([](auto a, auto b) { return a - b; }, [](T a, T b) { return a - b; });
  this->expect_same([](auto a, auto b) { return a * b; }, [](T a, T b) { return a * b; });
  this->expect_same([](auto a, auto b) { return a / b; }, [](T a, T b) { return a / b; });
  this->expect_same([](auto a, auto b) { return -a + 2 * b - 1; },
                    [](T a, T b) { return -a + 2 * b - 1; });
  this->expect_same([](auto a, auto b) { return max(a, b); },
                    [](T a, T b) { return std::max(a, b); });
  this->expect_same([](auto a, auto b) { return min(a, b); },
                    [](T a, T b) { return std::min(a, b); });
  this->expect_same([](auto a, auto) { return abs(a); }, [](T a, T) { return std::abs(a); });
  this->expect_same([](auto a, auto) { return floor(a); }, [](T a, T) { return std::floor(a); });
  this->expect_same([](auto a, auto b) { return fma(a, b, decltype(a)(4)); },
                    [](T a, T b) { return a * b + 4; });
  const auto in_place = [](auto a, auto b) {
    a += b;
    a *= 2;
    a -= 1;
    a /= 4;
    return a;
  };
  this->expect_same(in_place, [](T a, T b) { return ((a + b) * 2 - 1) / 4; });
}

TYPED_TEST(Simd, ASingleMixesWithEveryKindOfNumberAndWithFunctionsOfScalars) {
  using T = TypeParam;
  const simd::Single<T> x(T(0.75));
  const auto is_single = [](auto y) {
    static_assert(std::is_same_v<decltype(y), simd::Single<T>>);
    return T(y);
  };
  EXPECT_EQ(is_single(2 * x), T(1.5));
  EXPECT_EQ(is_single(x * 2.0), T(1.5));
  EXPECT_EQ(is_single(x + 2.0f), T(2.75));
  EXPECT_EQ(is_single(Index{1} - x), T(0.25));
  EXPECT_EQ(is_single(max(x, 1)), T(1));
  EXPECT_EQ(is_single(fma(x, 2, 1.0)), T(2.5));
  EXPECT_TRUE(x < 1 && 1.0 > x && x != 0 && !(x == 2));
  EXPECT_EQ(std::sin(x), std::sin(T(0.75))) << "a rule's formula may call what only scalars have";
  const auto twice = [](T y) { return 2 * y; };
  EXPECT_EQ(twice(x), T(1.5));
}

TYPED_TEST(Simd, ComparesAndSelectsInEveryLane) {
  using T = TypeParam;
  const auto choose = [](auto mask, auto a, auto b) { return select(mask, a, b); };
  this->expect_same([&](auto a, auto b) { return choose(a < b, a, b); },
                    [](T a, T b) { return a < b ? a : b; });
  this->expect_same([&](auto a, auto b) { return choose(a <= b, b, a); },
                    [](T a, T b) { return a <= b ? b : a; });
  this->expect_same([&](auto a, auto b) { return choose(a > b, a, b * 2); },
                    [](T a, T b) { return a > b ? a : b * 2; });
  this->expect_same([&](auto a, auto b) { return choose(a >= 0 && b >= 0, a, b); },
                    [](T a, T b) { return a >= 0 && b >= 0 ? a : b; });
  this->expect_same([&](auto a, auto b) { return choose(a >= 1 || !(b > 1), a, b); },
                    [](T a, T b) { return a >= 1 || !(b > 1) ? a : b; });
  this->expect_same([&](auto a, auto b) { return choose(a == T(-0.25) || a != a, a, b); },
                    [](T a, T b) { return a == T(-0.25) ? a : b; });
  const std::vector<T> x = this->values(0, 1);
  for (Index i = 0; i < TestFixture::size; ++i)
    EXPECT_TRUE(any(simd::load<typename TestFixture::Vector>(x.data()) == T(i)));
  EXPECT_FALSE(any(simd::load<typename TestFixture::Vector>(x.data()) < T(0)));
}

TYPED_TEST(Simd, MaximumAndMinimumAreTheFirstArgumentWhereNeitherIsLarger) {
  using T = TypeParam;
  using V = typename TestFixture::Vector;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const T of_nan : TestFixture::lanes(max(V(nan), T(1)))) EXPECT_TRUE(std::isnan(of_nan));
  for (const T of_nan : TestFixture::lanes(min(V(nan), T(1)))) EXPECT_TRUE(std::isnan(of_nan));
  EXPECT_EQ(max(V(T(1)), nan).first(), T(1));
  EXPECT_EQ(min(V(T(1)), nan).first(), T(1));
  EXPECT_TRUE(std::signbit(max(V(T(-0.0)), T(0)).first()));
  EXPECT_FALSE(std::signbit(max(V(T(0)), T(-0.0)).first()));
  EXPECT_FALSE(std::signbit(min(V(T(0)), T(-0.0)).first()));
}

TYPED_TEST(Simd, LoadsAndStoresAnyCountAtAnyAddress) {
  using T = TypeParam;
  const std::vector<T> from = [&] {
    std::vector<T> x(static_cast<std::size_t>(3 * TestFixture::size));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = T(i) + 1;
    return x;
  }();
  for (Index offset = 0; offset < TestFixture::size; ++offset)
    for (Index n = 0; n <= TestFixture::size; ++n) {
      const auto x = simd::load<typename TestFixture::Vector>(from.data() + offset, n, T(-1));
      std::vector<T> to(static_cast<std::size_t>(3 * TestFixture::size), T(-7));
      simd::store(to.data() + offset, n, x);
      for (Index i = 0; i < Index(to.size()); ++i)
        EXPECT_EQ(to[std::size_t(i)], i >= offset && i < offset + n ? from[std::size_t(i)] : T(-7));
      const std::vector<T> all = this->lanes(x);
      for (Index i = n; i < TestFixture::size; ++i) EXPECT_EQ(all[std::size_t(i)], T(-1));
    }
}

TYPED_TEST(Simd, TransposesASquareOfLanes) {
  using T = TypeParam;
  simd::Array<typename TestFixture::Vector, TestFixture::size> rows;
  for (Index i = 0; i < TestFixture::size; ++i)
    rows[i] = simd::load<typename TestFixture::Vector>(this->values(T(100 * i), 1).data());
  simd::transpose(rows);
  for (Index i = 0; i < TestFixture::size; ++i) {
    const std::vector<T> row = this->lanes(rows[i]);
    for (Index j = 0; j < TestFixture::size; ++j) EXPECT_EQ(row[std::size_t(j)], T(100 * j + i));
  }
}

TYPED_TEST(Simd, PowersOfTwoAreExact) {
  using T = TypeParam;
  const int bias = std::numeric_limits<T>::max_exponent - 1;
  for (int i = -bias; i <= bias; ++i) {
    const T expected = i == -bias ? T(0) : std::ldexp(T(1), i);
    EXPECT_EQ(
        power_of_two(typename TestFixture::Vector(T(i) + simd::power_of_two_shift<T>)).first(),
        expected)
        << i;
    EXPECT_EQ(power_of_two(simd::Single<T>(T(i) + simd::power_of_two_shift<T>)).first(), expected)
        << i;
  }
}

TYPED_TEST(Simd, SumAndLargestOfAllLanes) {
  using T = TypeParam;
  const auto x = simd::load<typename TestFixture::Vector>(this->values(T(-2), T(1)).data());
  EXPECT_EQ(sum(x), T(TestFixture::size) * (T(-4) + T(TestFixture::size - 1)) / 2);
  EXPECT_EQ(largest(x), T(TestFixture::size - 3));
}

}  // namespace
