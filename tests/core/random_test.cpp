#include <gtest/gtest.h>

#include <algorithm>
#include <attn/core/random.hpp>
#include <cfloat>
#include <numbers>
#include <vector>

#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::Random;
using attn::Tensor;
using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

// The known answers for philox4x32-10 in Random123's file kat_vectors.
static_assert(attn::detail::philox4x32({0, 0, 0, 0}, {0, 0}) ==
              Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});

TEST(Philox, KnownAnswers) {
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(attn::detail::philox4x32(Counter{0, 0, 0, 0}, Key{0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(attn::detail::philox4x32(Counter{ones, ones, ones, ones}, Key{ones, ones}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(attn::detail::philox4x32(Counter{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                                     Key{0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Computed by tests/data/make_random_golden.py.
struct Golden {
  std::uint64_t seed, draw, bits;
  double uniform, normal;
};
const Golden golden[] = {
    {0u, 0u, 0xe169c58d6627e8d5u, 0x1.c2d38b1acc4fdp-1, -0x1.973628c131c02p-2},
    {7u, 0u, 0xc009f9dcf4607a2du, 0x1.8013f3b9e8c0fp-1, 0x1.4d586bf318c2ep-1},
    {7u, 1u, 0xcb97bc13682e8e9bu, 0x1.972f7826d05d1p-1, 0x1.4e7654a935a2ep-1},
    {7u, 2u, 0x0229fbb4018e23c0u, 0x1.14fdda00c7100p-7, 0x1.cb99a6f92cee9p+0},
    {18446744073709551615u, 18446744073709551615u, 0x430ac65a4d18d7d2u, 0x1.0c2b196934634p-2,
     0x1.93f1353d191cep+0},
    {81985529216486895u, 4294967296u, 0x59dd3f68d9412d6au, 0x1.6774fda36504ap-2,
     -0x1.e60bec2289babp-1},
    {42u, 1000000u, 0x12a2481b1417b95bu, 0x1.2a2481b1417b8p-4, 0x1.05cdfe459dd4ap+1},
};

TEST(Random, GoldenValues) {
  for (const Golden& g : golden) {
    EXPECT_EQ((Random{g.seed, g.draw}.bits()), g.bits);
    EXPECT_EQ((Random{g.seed, g.draw}.uniform<double>()), g.uniform);
    EXPECT_EQ((Random{g.seed, g.draw}.uniform<float>()), std::floor(g.uniform * 0x1p24) * 0x1p-24)
        << "truncated, not rounded";
    EXPECT_NEAR((Random{g.seed, g.draw}.normal<double>()), g.normal, std::abs(g.normal) * 0x1p-51);
    EXPECT_EQ((Random{g.seed, g.draw}.normal<float>()),
              static_cast<float>(Random{g.seed, g.draw}.normal<double>()));
  }
}

TEST(Random, EachDrawIncrementsTheCounter) {
  Random random{7};
  random.bits();
  random.uniform<float>();
  random.normal<double>();
  EXPECT_EQ(random.counter, 3u);
  Random later{random.seed, random.counter};
  EXPECT_EQ(random.bits(), later.bits());
}

// √(−2 ln u) cos 2πv in long double, the angle taken from the nearest quarter of a turn.
long double exact_normal(std::uint64_t radius, std::uint64_t angle) {
  constexpr long double two_pi = 2 * std::numbers::pi_v<long double>;
  const long double u = static_cast<long double>((radius >> 11) + 1) * 0x1p-53L;
  const std::uint64_t turn = std::uint64_t{1} << 56, v = angle >> 8,
                      quarter = (v + turn / 8) / (turn / 4);
  const auto rest = static_cast<std::int64_t>(v - quarter * (turn / 4));
  const long double theta = two_pi * (static_cast<long double>(rest) * 0x1p-56L);
  const long double cosine = quarter % 4 == 0   ? std::cos(theta)
                             : quarter % 4 == 1 ? -std::sin(theta)
                             : quarter % 4 == 2 ? -std::cos(theta)
                                                : std::sin(theta);
  return std::sqrt(-2 * std::log(u)) * cosine;
}

double error_in_ulp(double got, long double exact) {
  if (exact == 0) return got == 0 ? 0 : HUGE_VAL;
  const long double ulp = std::ldexp(1.0L, std::ilogb(exact) - 52);
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / ulp);
}

TEST(Random, NormalIsWithinTwoUlp) {
  if (LDBL_MANT_DIG < 64) GTEST_SKIP() << "long double has no more digits than double here";
  double worst = 0;
  Random words{2024};
  for (int i = 0; i < 2000000; ++i) {
    const std::uint64_t radius = words.bits(), angle = words.bits();
    worst = std::max(
        worst, error_in_ulp(attn::detail::box_muller(radius, angle), exact_normal(radius, angle)));
  }
  // Where the cosine is 0, and where u is near 0 and near 1.
  for (std::uint64_t octant = 0; octant < 8; ++octant) {
    for (int i = 0; i < 100000; ++i) {
      const std::uint64_t small = words.bits() >> (8 + words.bits() % 56);
      for (const std::uint64_t angle : {(octant << 61) + small, (octant << 61) - small})
        for (const std::uint64_t radius : {words.bits(), small, ~small})
          worst = std::max(worst, error_in_ulp(attn::detail::box_muller(radius, angle),
                                               exact_normal(radius, angle)));
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
#ifdef _WIN32
  EXPECT_LE(worst, 3.0) << "log, sin and cos of msvcrt.dll are less exact";
#else
  EXPECT_LE(worst, 2.0);
#endif
  EXPECT_GT(worst, 0.5) << "an error below that of rounding means that nothing was measured";
}

TEST(Random, NormalIsAlwaysFinite) {
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_NEAR(attn::detail::box_muller(0, 0), std::sqrt(106 * std::numbers::ln2), 1e-14)
      << "the largest: u = 2⁻⁵³";
  EXPECT_EQ(attn::detail::box_muller(ones, 0), 0) << "u = 1";
  EXPECT_EQ(attn::detail::box_muller(0, std::uint64_t{1} << 62), 0) << "a quarter of a turn";
  for (const std::uint64_t radius :
       {std::uint64_t{0}, std::uint64_t{1}, ones, ones << 11, std::uint64_t{1} << 63})
    for (const std::uint64_t angle :
         {std::uint64_t{0}, ones, ones >> 1, std::uint64_t{1} << 61, std::uint64_t{1} << 63})
      EXPECT_TRUE(std::isfinite(attn::detail::box_muller(radius, angle)));
}

// The largest distance between the distribution of the values and the given one: above 1.95/√n for
// one seed in a thousand.
template <class Distribution>
double kolmogorov_smirnov(std::vector<double> values, Distribution distribution) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = distribution(values[i]);
    distance =
        std::max({distance, static_cast<double>(i + 1) / n - p, p - static_cast<double>(i) / n});
  }
  return distance;
}

constexpr int samples = 1000000;

TEST(Random, UniformIsUniform) {
  Random random{11};
  std::vector<double> values(samples);
  double mean = 0, square = 0;
  for (double& value : values) {
    value = random.uniform<double>();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    mean += value / samples;
    square += value * value / samples;
  }
  EXPECT_NEAR(mean, 0.5, 4 * std::sqrt(1. / 12 / samples));
  EXPECT_NEAR(square, 1. / 3, 4 * std::sqrt(4. / 45 / samples));
  EXPECT_LT(kolmogorov_smirnov(values, [](double x) { return x; }), 1.95 / std::sqrt(samples));
}

TEST(Random, NormalIsNormal) {
  Random random{12};
  std::vector<double> values(samples);
  double moment[5] = {};
  for (double& value : values) {
    value = random.normal<double>();
    for (int k = 1; k <= 4; ++k) moment[k] += std::pow(value, k) / samples;
  }
  EXPECT_NEAR(moment[1], 0, 4 * std::sqrt(1. / samples));
  EXPECT_NEAR(moment[2], 1, 4 * std::sqrt(2. / samples));
  EXPECT_NEAR(moment[3], 0, 4 * std::sqrt(15. / samples));
  EXPECT_NEAR(moment[4], 3, 4 * std::sqrt(96. / samples));
  EXPECT_LT(
      kolmogorov_smirnov(values, [](double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }),
      1.95 / std::sqrt(samples));
}

TEST(Random, NeighborsAreIndependent) {
  const auto correlation = [](auto next_pair) {
    double sum = 0;
    for (int i = 0; i < samples; ++i) {
      const auto [a, b] = next_pair();
      sum += a * b / samples;
    }
    return sum;
  };
  const double bound = 4 / std::sqrt(samples);
  Random one{1}, two{2}, high{1 | std::uint64_t{1} << 32}, alone{3};
  EXPECT_NEAR(correlation([&] { return std::pair(one.normal<double>(), two.normal<double>()); }), 0,
              bound)
      << "neighboring seeds";
  one.counter = 0;
  EXPECT_NEAR(correlation([&] { return std::pair(one.normal<double>(), high.normal<double>()); }),
              0, bound)
      << "seeds that differ in the high word";
  EXPECT_NEAR(correlation([&] {
                const double now = alone.normal<double>();
                return std::pair(now, Random{alone}.normal<double>());
              }),
              0, bound)
      << "neighboring draws";
}

TEST(Random, EveryBitIsFairAndOneBitOfTheSeedFlipsHalfOfThem) {
  std::array<int, 64> ones{}, flipped{};
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const auto draw = static_cast<std::uint64_t>(i);
    const std::uint64_t word = Random{5, draw}.bits(),
                        other = Random{5 ^ std::uint64_t{1} << (i % 64), draw}.bits();
    for (std::size_t b = 0; b < 64; ++b) {
      ones[b] += (word >> b & 1) != 0;
      flipped[b] += ((word ^ other) >> b & 1) != 0;
    }
  }
  for (std::size_t b = 0; b < 64; ++b) {
    EXPECT_NEAR(ones[b], n / 2, 4.5 * std::sqrt(n) / 2) << b;
    EXPECT_NEAR(flipped[b], n / 2, 4.5 * std::sqrt(n) / 2) << b;
  }
}

TEST(Random, IndexIsUnbiased) {
  Random random{13};
  std::array<int, 7> count{};
  const int n = 700000;
  for (int i = 0; i < n; ++i) ++count.at(static_cast<std::size_t>(random.index(7)));
  for (const int c : count) EXPECT_NEAR(c, n / 7, 4.5 * std::sqrt(n * 6. / 49));
  // In a range of ¾ · 2⁶³, a plain remainder would be biased: half of all words would fall into the
  // first third. (An Index of 32 bits has a range of ¾ · 2³¹.)
  const Index wide = std::numeric_limits<Index>::max() / 4 * 3 + 3;
  int first = 0;
  for (int i = 0; i < 100000; ++i) {
    const Index at = random.index(wide);
    ASSERT_TRUE(at >= 0 && at < wide);
    first += at < wide / 3 * 2;
  }
  EXPECT_NEAR(first, 100000 * 2. / 3, 4.5 * std::sqrt(100000 * 2. / 9));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.index(1), 0);
}

TEST(Random, IndexNeedsARange) {
  Random random{1};
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { random.index(0); }),
            "Random::index: n = 0 must be at least 1");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { random.index(-5); }),
            "Random::index: n = -5 must be at least 1");
}

TEST(Random, FillsInRowMajorOrder) {
  Random fill{21}, one{21};
  Tensor<float, 4> q({2, 3, 4, 5});
  fill.normal(q);
  for (Index i = 0; i < q.size(); ++i) EXPECT_EQ(q.data()[i], one.normal<float>());
  fill.uniform(q);
  for (Index i = 0; i < q.size(); ++i) EXPECT_EQ(q.data()[i], one.uniform<float>());
  EXPECT_EQ(fill.counter, 240u);
}

TEST(Random, FillsStridedViewsAndNothingElse) {
  Random fill{22}, one{22};
  Tensor<double, 3> x({4, 3, 6});
  fill.normal(x.slice(0, 1, 3).slice(2, 2, 5), 10, 0.5);
  for (Index a = 0; a < 4; ++a)
    for (Index b = 0; b < 3; ++b)
      for (Index c = 0; c < 6; ++c) {
        const bool inside = a >= 1 && a < 3 && c >= 2 && c < 5;
        EXPECT_EQ(x(a, b, c), inside ? std::fma(0.5, one.normal<double>(), 10) : 0);
      }
  Tensor<double, 2> empty({3, 0});
  fill.uniform(empty);
  EXPECT_EQ(fill.counter, one.counter);
}

TEST(Random, FloatAndDoubleTensorsOfOneSeedAgree) {
  Tensor<float, 1> f({1000});
  Tensor<double, 1> d({1000});
  Random{9}.normal(f, 3, 0.02);
  Random{9}.normal(d, 3, 0.02);
  for (Index i = 0; i < 1000; ++i) EXPECT_EQ(f(i), static_cast<float>(d(i)));
  Random{9}.uniform(f);
  Random{9}.uniform(d);
  for (Index i = 0; i < 1000; ++i) EXPECT_EQ(f(i), std::floor(d(i) * 0x1p24) * 0x1p-24);
  Random{9}.uniform(f, -0.1, 0.1);
  Random{9}.uniform(d, -0.1, 0.1);
  for (Index i = 0; i < 1000; ++i) EXPECT_NEAR(static_cast<double>(f(i)), d(i), 2e-8);
}

TEST(Random, UniformStaysBelowItsEnd) {
  Tensor<float, 1> x({1 << 20});
  Random{1}.uniform(x, 1, 1.0000005);  // four floats wide: the ends would be drawn often
  EXPECT_EQ(*std::min_element(x.data(), x.data() + x.size()), 1.0f);
  EXPECT_EQ(*std::max_element(x.data(), x.data() + x.size()),
            std::nextafter(static_cast<float>(1.0000005), 0.0f));
  Random{1}.uniform(x, -2, -2);
  EXPECT_TRUE((x.flat().array() == -2.0f).all());
}

TEST(Random, RefusesWrongOptions) {
  Tensor<float, 1> x({3});
  Random random{1};
  const double nan = std::nan(""), inf = HUGE_VAL;
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { random.uniform(x, 1, 0); }),
            "Random::uniform: hi - lo = -1 must be finite and at least 0");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { random.normal(x, nan); }),
            "Random::normal: mean = nan must be finite");
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { random.normal(x, 0, -1); }),
            "Random::normal: standard_deviation = -1 must be finite and at least 0");
  EXPECT_THROW(random.uniform(x, nan, 1), attn::OptionError);
  EXPECT_THROW(random.uniform(x, 0, inf), attn::OptionError);
  EXPECT_THROW(random.uniform(x, -DBL_MAX, DBL_MAX), attn::OptionError);
  EXPECT_THROW(random.normal(x, 0, -1), attn::OptionError);
  EXPECT_THROW(random.normal(x, nan, 1), attn::OptionError);
  EXPECT_THROW(random.normal(x, 0, inf), attn::OptionError);
  EXPECT_EQ(random.counter, 0u);
  EXPECT_TRUE((x.flat().array() == 0.0f).all());
}

}  // namespace
