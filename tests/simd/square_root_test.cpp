#include <gtest/gtest.h>

#include <attn/simd/simd.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using attn::Index;
namespace simd = attn::simd;

/// The root is bitwise identical to std::sqrt, also for subnormal values, 0 and infinity.
template <class T>
void expect_rounded_once() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values{0,
                        1,
                        2,
                        Limits::infinity(),
                        Limits::max(),
                        Limits::min(),
                        Limits::denorm_min(),
                        Limits::min() / 3};
  for (T x = Limits::min(); x < Limits::max() / 8; x *= T(7.3)) values.push_back(x);
  std::vector<T> roots(values.size());
  simd::for_each_packet<T>(static_cast<Index>(values.size()), [&](Index i, Index n) {
    simd::store(roots.data() + i, n, sqrt(simd::load<simd::Vector<T>>(values.data() + i, n, 0)));
  });
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(roots[i], std::sqrt(values[i])) << values[i];
    EXPECT_EQ(T(sqrt(simd::Single<T>(values[i]))), std::sqrt(values[i]));
  }
  EXPECT_TRUE(std::isnan(sqrt(simd::Vector<T>(-1)).first()));
}

TEST(SquareRoot, IsRoundedOnce) {
  expect_rounded_once<float>();
  expect_rounded_once<double>();
}

}  // namespace
