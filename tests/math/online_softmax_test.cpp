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

TYPED_TEST(OnlineSoftmax, OfPartsIsThatOfTheWholeInAnyOrder) {
  using T = TypeParam;
  for (std::size_t length = 1; length <= std::size_t(4 * attn::simd::lanes<T>); ++length)
    for (std::size_t cut = 0; cut <= length; ++cut) {
      long double sum = 0;
      attn::OnlineSoftmax<T> left, right;
      for (std::size_t j = 0; j < length; ++j) {
        const T s = j % 5 == 3 ? none<T> : T(20 * std::sin(double(j * j)));
        sum += std::exp(static_cast<long double>(s));
        (j < cut ? left : right).add(s);
      }
      attn::OnlineSoftmax<T> forward = left, backward = right;
      forward.merge(right), backward.merge(left);
      const double exact = double(std::log(sum)),
                   tolerance = 40 * double(std::numeric_limits<T>::epsilon());
      EXPECT_NEAR(double(forward.log_sum_exp()), exact, tolerance);
      EXPECT_NEAR(double(backward.log_sum_exp()), exact, tolerance);
    }
}

// The trap: −inf − (−inf) is NaN.
TYPED_TEST(OnlineSoftmax, OfNothingIsNothing) {
  using T = TypeParam;
  attn::OnlineSoftmax<T> state, other;
  state.add(none<T>), state.merge(other), state.add(none<T>);
  EXPECT_EQ(state.log_sum_exp(), none<T>);
  EXPECT_EQ(state.sum, T(0));
  EXPECT_EQ(attn::OnlineSoftmax<T>::rescale(none<T>, none<T>), T(0));
  EXPECT_EQ(attn::OnlineSoftmax<T>::rescale(none<T>, T(5)), T(0));
  state.add(T(2)), state.merge(other);
  EXPECT_EQ(state.log_sum_exp(), T(2));
}

TYPED_TEST(OnlineSoftmax, KeepsNaN) {
  using T = TypeParam;
  attn::OnlineSoftmax<T> state;
  state.add(T(1)), state.add(std::numeric_limits<T>::quiet_NaN()), state.add(T(3));
  EXPECT_TRUE(std::isnan(state.log_sum_exp()));
}

}  // namespace
