#include <gtest/gtest.h>
#include <attn/math/online_softmax.hpp>

#include <cmath>
#include <vector>

namespace {

template <class T>
class OnlineSoftmax : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OnlineSoftmax, Scalars);

template <class T>
constexpr T none = -std::numeric_limits<T>::infinity();

/// The state of one score, in units of log 2.
template <class T>
attn::OnlineSoftmax<T> state_of(T score) {
  return {attn::log2e<T> * score, score == none<T> ? T(0) : T(1)};
}

TYPED_TEST(OnlineSoftmax, OfPartsIsThatOfTheWholeInAnyOrder) {
  using T = TypeParam;
  for (std::size_t length = 1; length <= std::size_t(4 * attn::simd::lanes<T>); ++length)
    for (std::size_t cut = 0; cut <= length; ++cut) {
      long double sum = 0;
      attn::OnlineSoftmax<T> left, right;
      for (std::size_t j = 0; j < length; ++j) {
        const T s = j % 5 == 3 ? none<T> : T(20 * std::sin(double(j * j)));
        sum += std::exp(static_cast<long double>(s));
        (j < cut ? left : right).merge(state_of(s));
      }
      attn::OnlineSoftmax<T> forward = left, backward = right;
      forward.merge(right);
      backward.merge(left);
      const double exact = double(std::log(sum)),
                   tolerance = 40 * double(std::numeric_limits<T>::epsilon());
      EXPECT_NEAR(double(forward.log_sum_exp()), exact, tolerance);
      EXPECT_NEAR(double(backward.log_sum_exp()), exact, tolerance);
    }
}

// The trap: −∞ − (−∞) is NaN.
TYPED_TEST(OnlineSoftmax, OfNothingIsNothing) {
  using T = TypeParam;
  attn::OnlineSoftmax<T> state, other;
  EXPECT_EQ(state.merge(state_of(none<T>)).previous, T(0));
  EXPECT_EQ(state.merge(other).added, T(0));
  EXPECT_EQ(state.log_sum_exp(), none<T>);
  EXPECT_EQ(state.sum, T(0));
  EXPECT_EQ(state.merge(state_of(T(2))).previous, T(0));
  const auto factors = state.merge(other);
  EXPECT_EQ(factors.previous, T(1));
  EXPECT_EQ(factors.added, T(0));
  EXPECT_EQ(state.log_sum_exp(), T(2));
}

TYPED_TEST(OnlineSoftmax, KeepsNaN) {
  using T = TypeParam;
  attn::OnlineSoftmax<T> state;
  for (const T score : {T(1), std::numeric_limits<T>::quiet_NaN(), T(3)})
    state.merge(state_of(score));
  EXPECT_TRUE(std::isnan(state.log_sum_exp()));
}

TYPED_TEST(OnlineSoftmax, OfAVectorIsThatOfItsLanes) {
  using T = TypeParam;
  using Vector = attn::simd::Vector<T>;
  attn::OnlineSoftmax<Vector> lanes;
  std::vector<attn::OnlineSoftmax<T>> single(static_cast<std::size_t>(Vector::size));
  for (int round = 0; round < 5; ++round) {
    std::vector<T> maximum, sum, previous(single.size()), added(single.size());
    for (std::size_t i = 0; i < single.size(); ++i) {
      maximum.push_back((i + std::size_t(round)) % 4 == 0 ? none<T>
                                                          : T(std::sin(double(i) + round)));
      sum.push_back(maximum.back() == none<T> ? T(0) : T(1 + round));
    }
    const auto factors = lanes.merge(
        {attn::simd::load<Vector>(maximum.data()), attn::simd::load<Vector>(sum.data())});
    attn::simd::store(previous.data(), factors.previous);
    attn::simd::store(added.data(), factors.added);
    attn::simd::store(maximum.data(), lanes.maximum);
    attn::simd::store(sum.data(), lanes.sum);
    for (std::size_t i = 0; i < single.size(); ++i) {
      attn::OnlineSoftmax<T>& one = single[i];
      const T tile = (i + std::size_t(round)) % 4 == 0 ? none<T> : T(std::sin(double(i) + round));
      const auto wanted = one.merge({tile, tile == none<T> ? T(0) : T(1 + round)});
      EXPECT_NEAR(double(previous[i]), double(wanted.previous), 1e-6);
      EXPECT_NEAR(double(added[i]), double(wanted.added), 1e-6);
      EXPECT_EQ(maximum[i], one.maximum);
      EXPECT_NEAR(double(sum[i]), double(one.sum), 1e-5);
    }
  }
}

}  // namespace
