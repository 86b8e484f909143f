#include <gtest/gtest.h>
#include <attn/math/softmax.hpp>

#include <cmath>
#include <cstring>
#include <vector>

namespace {

template <class T>
class Softmax : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Softmax, Scalars);

template <class T>
constexpr T none = -std::numeric_limits<T>::infinity();

template <class T>
std::vector<T> some_scores(std::size_t length) {
  std::vector<T> s(length);
  for (std::size_t j = 0; j < length; ++j) s[j] = T(3 * std::sin(1.7 * double(j) + 0.4));
  return s;
}

template <class T>
void expect_softmax(const std::vector<T>& s) {
  long double largest = -std::numeric_limits<long double>::infinity(), sum = 0;
  for (T x : s) largest = std::max(largest, static_cast<long double>(x));
  for (T x : s) sum += std::isinf(x) ? 0 : std::exp(static_cast<long double>(x) - largest);
  std::vector<T> p(s.size(), T(-7));
  const T log_sum_exp = attn::softmax<T>(s, p);
  const double tolerance = 8 * double(std::numeric_limits<T>::epsilon());
  for (std::size_t j = 0; j < s.size(); ++j) {
    const long double exact =
        std::isinf(s[j]) ? 0 : std::exp(static_cast<long double>(s[j]) - largest) / sum;
    if (std::isinf(s[j])) EXPECT_EQ(p[j], T(0)) << "length " << s.size() << ", masked " << j;
    else
      EXPECT_NEAR(double(p[j]), double(exact), tolerance * double(exact))
          << "length " << s.size() << ", at " << j;
  }
  EXPECT_NEAR(double(log_sum_exp), double(largest + std::log(sum)),
              tolerance * std::max(4.0, double(std::abs(largest))));
}

TYPED_TEST(Softmax, IsTheFormulaForEveryLengthAndMaskedPosition) {
  using T = TypeParam;
  const std::size_t packet = std::size_t(attn::simd::lanes<T>);
  for (std::size_t length = 1; length <= 4 * packet + 3; ++length) {
    expect_softmax(some_scores<T>(length));
    for (std::size_t at = 0; at < length && length > 1; ++at) {
      std::vector<T> s = some_scores<T>(length);
      s[at] = none<T>;
      expect_softmax(s);
    }
  }
}

TYPED_TEST(Softmax, OfNothingAllowedIsZeroAndMinusInfinity) {
  using T = TypeParam;
  for (std::size_t length = 0; length <= std::size_t(4 * attn::simd::lanes<T>) + 3; ++length) {
    const std::vector<T> s(length, none<T>);
    std::vector<T> p(length, T(3));
    EXPECT_EQ(attn::softmax<T>(s, p), none<T>);
    for (T x : p) EXPECT_EQ(x, T(0));
  }
}

// The trap: the vectorized maximum of {1, NaN, 2, …, 7} is 6.
TYPED_TEST(Softmax, OfARowWithNaNIsNaNWhereverItStands) {
  using T = TypeParam;
  for (std::size_t length = 1; length <= std::size_t(4 * attn::simd::lanes<T>) + 3; ++length)
    for (std::size_t at = 0; at < length; ++at) {
      std::vector<T> s = some_scores<T>(length), p(length);
      s[at] = std::numeric_limits<T>::quiet_NaN();
      EXPECT_TRUE(std::isnan(attn::softmax<T>(s, p)));
      for (T x : p) ASSERT_TRUE(std::isnan(x)) << "length " << length << ", NaN at " << at;
    }
}

TYPED_TEST(Softmax, DoesNotOverflow) {
  using T = TypeParam;
  const std::vector<T> s{T(3e4), T(3e4) - T(1), T(-3e4)};
  expect_softmax(s);
}

// The trap: sums over an Eigen::Map give different bits at different addresses.
TYPED_TEST(Softmax, IsBitwiseIdenticalAtEveryAddress) {
  using T = TypeParam;
  const std::vector<T> s = some_scores<T>(61);
  std::vector<T> first(61);
  attn::softmax<T>(s, first);
  for (std::size_t offset = 0; offset < 16; ++offset) {
    std::vector<T> moved(offset + 61), p(offset + 61);
    std::copy(s.begin(), s.end(), moved.begin() + std::ptrdiff_t(offset));
    attn::softmax<T>(std::span<const T>(moved).subspan(offset), std::span<T>(p).subspan(offset));
    EXPECT_EQ(std::memcmp(p.data() + offset, first.data(), 61 * sizeof(T)), 0)
        << "offset " << offset;
  }
}

TEST(SoftmaxBackward, IsTheDerivative) {
  std::vector<double> s = some_scores<double>(11), p(11), d_p(11), d_s(11), above(11), below(11);
  for (std::size_t j = 0; j < 11; ++j) d_p[j] = std::cos(double(j));
  s[4] = none<double>;
  attn::softmax<double>(s, p);
  attn::softmax_backward<double>(p, d_p, d_s);
  for (std::size_t j = 0; j < 11; ++j) {
    if (j == 4) {
      EXPECT_EQ(d_s[j], 0);
      continue;
    }
    const double h = 1e-6, x = s[j];
    s[j] = x + h;
    attn::softmax<double>(s, above);
    s[j] = x - h;
    attn::softmax<double>(s, below);
    s[j] = x;
    double numeric = 0;
    for (std::size_t k = 0; k < 11; ++k) numeric += d_p[k] * (above[k] - below[k]) / (2 * h);
    EXPECT_NEAR(d_s[j], numeric, 1e-9);
  }
}

}  // namespace
