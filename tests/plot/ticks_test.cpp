#include <gtest/gtest.h>
#include <attn/plot/ticks.hpp>

#include <cfloat>
#include <random>
#include <set>

namespace {

using attn::plot::Range;
using attn::plot::detail::fraction_of;
using attn::plot::detail::linear_ticks;
using attn::plot::detail::log_ticks;
using attn::plot::detail::Tick;

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> all;
  for (const Tick& tick : ticks)
    if (!tick.label.empty()) all.push_back(tick.label);
  return all;
}
using Labels = std::vector<std::string>;

TEST(Ticks, LinearOnesAreRound) {
  EXPECT_EQ(labels(linear_ticks({0, 1}, 5)), (Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(labels(linear_ticks({0, 1}, 2)), (Labels{"0.0", "0.5", "1.0"}));
  EXPECT_EQ(labels(linear_ticks({-1, 1}, 4)), (Labels{"−1.0", "−0.5", "0.0", "0.5", "1.0"}));
  EXPECT_EQ(labels(linear_ticks({0.013, 0.31}, 6)),
            (Labels{"0.05", "0.10", "0.15", "0.20", "0.25", "0.30"}));
  EXPECT_EQ(labels(linear_ticks({0, 4000}, 4)), (Labels{"0", "1000", "2000", "3000", "4000"}));
  EXPECT_EQ(labels(linear_ticks({0, 3e-8}, 3)), (Labels{"0", "1e−8", "2e−8", "3e−8"}));
  EXPECT_EQ(labels(linear_ticks({0, 2e9}, 4)), (Labels{"0", "5e8", "1.0e9", "1.5e9", "2.0e9"}));
}

TEST(Ticks, LinearOnesAreFewDistinctAscendingAndInside) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> exponent(-290, 290), mantissa(-1, 1);
  for (int trial = 0; trial < 3000; ++trial) {
    const double size = std::pow(10, trial % 2 ? exponent(random) : exponent(random) / 40);
    Range range{mantissa(random) * size, mantissa(random) * size};
    if (range.low > range.high) std::swap(range.low, range.high);
    const std::vector<Tick> ticks = linear_ticks(range, 6);
    ASSERT_GE(ticks.size(), 2u) << range.low << " " << range.high;
    ASSERT_LE(ticks.size(), 7u);
    const double slack = (range.high - range.low) * 1e-5;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      EXPECT_GE(ticks[i].value, range.low - slack);
      EXPECT_LE(ticks[i].value, range.high + slack);
      EXPECT_TRUE(i == 0 || ticks[i].value > ticks[i - 1].value);
      EXPECT_TRUE(seen.insert(ticks[i].label).second) << ticks[i].label;
    }
  }
}

TEST(Ticks, ExtremeRangesEnd) {
  EXPECT_GE(linear_ticks({-DBL_MAX, DBL_MAX}, 5).size(), 2u);
  EXPECT_EQ(linear_ticks({0, 5e-324}, 5).size(), 2u);
  EXPECT_EQ(linear_ticks({1, std::nextafter(1.0, 2.0)}, 5).size(), 2u);
  EXPECT_EQ(linear_ticks({3, 3}, 5).size(), 2u);
}

TEST(Ticks, LogarithmicOnesArePowers) {
  EXPECT_EQ(labels(log_ticks({100, 20000}, 2, 9)),
            (Labels{"128", "256", "512", "1024", "2048", "4096", "8192", "16384"}));
  EXPECT_EQ(labels(log_ticks({0.005, 2000}, 10, 8)),
            (Labels{"0.01", "0.1", "1", "10", "100", "1000"}));
  EXPECT_EQ(labels(log_ticks({1.5, 60}, 10, 8)), (Labels{"2", "5", "10", "20", "50"}));
  EXPECT_EQ(labels(log_ticks({1e-9, 1}, 10, 4)), (Labels{"1e−9", "1e−6", "0.001", "1"}));
  EXPECT_GT(log_ticks({1, 1000}, 10, 8).size(), 4u + 20u);  // minor ones
  EXPECT_LT(log_ticks({1e-300, 1e300}, 10, 8).size(), 12u);
}

TEST(Ticks, ANarrowLogarithmicRangeHasLinearOnes) {
  EXPECT_EQ(labels(log_ticks({2.9, 5.3}, 10, 6)), (Labels{"3.0", "3.5", "4.0", "4.5", "5.0"}));
  EXPECT_EQ(labels(log_ticks({130, 250}, 2, 5)), (Labels{"150", "200", "250"}));
}

TEST(Ticks, FractionOfARange) {
  EXPECT_EQ(fraction_of({2, 4}, 3), 0.5);
  EXPECT_EQ(fraction_of({-DBL_MAX, DBL_MAX}, 0), 0.5);
  EXPECT_EQ(fraction_of({-DBL_MAX, DBL_MAX}, DBL_MAX), 1);
  EXPECT_EQ(fraction_of({0, 5e-324}, 5e-324), 1);
}

}  // namespace
