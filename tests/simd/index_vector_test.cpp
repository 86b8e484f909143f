#include <gtest/gtest.h>

#include <attn/rules/rules.hpp>
#include <limits>

namespace {

using attn::Index, attn::Position, attn::Positions, attn::IndexVector;
namespace simd = attn::simd;

template <class T>
class IndexVectors : public testing::Test {
 protected:
  static constexpr Index size = simd::lanes<T>;
  static std::vector<T> lanes(const simd::Vector<T>& x) {
    std::vector<T> result(static_cast<std::size_t>(size));
    simd::store(result.data(), x);
    return result;
  }
  static std::vector<T> lanes(const typename IndexVector<T>::Mask& x) {
    return lanes(select(x, T(1), T(0)));
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(IndexVectors, Scalars);

// float does not hold every integer of so many bits.
constexpr int far_bits = sizeof(Index) == 8 ? 40 : 26;
const std::vector<Index> integers{std::numeric_limits<Index>::min() + 40,
                                  -(Index{1} << far_bits),
                                  -100,
                                  -17,
                                  -8,
                                  -3,
                                  -1,
                                  0,
                                  1,
                                  2,
                                  5,
                                  31,
                                  1000,
                                  (Index{1} << far_bits) + 3,
                                  std::numeric_limits<Index>::max() - 40};

TYPED_TEST(IndexVectors, HoldEvenlySpacedIntegers) {
  using T = TypeParam;
  for (const Index first : {Index{-20}, Index{-3}, Index{0}, Index{7}, Index{100}})
    for (const int stride : {1, -1, 0, 3, -6, 100, 1 << 20}) {
      const IndexVector<T> index{first, stride};
      const auto expect = [&](const auto& got, auto&& wanted) {
        const std::vector<T> lane = this->lanes(got);
        for (Index i = 0; i < this->size; ++i)
          EXPECT_EQ(lane[std::size_t(i)], T(wanted(first + i * stride)))
              << first << " by " << stride << ", lane " << i;
      };
      using Vector = simd::Vector<T>;
      expect(Vector(index), [](Index x) { return x; });
      expect(Vector(index - 5), [](Index x) { return x - 5; });
      expect(Vector(index + 5), [](Index x) { return x + 5; });
      expect(Vector(5 + index), [](Index x) { return x + 5; });
      expect(Vector(5 - index), [](Index x) { return 5 - x; });
      expect(abs(index), [](Index x) { return std::abs(x); });
      expect(index / 3, [](Index x) { return x / 3; });
      for (const Index d : {1, 2, 3, 7, 8, 16, 100, 1 << 19, 1 << 21, -3})
        expect(index % d, [&](Index x) { return x % d; });
    }
}

TYPED_TEST(IndexVectors, CompareExactlyHoweverFarAway) {
  using T = TypeParam;
  for (const Index first : integers)
    for (const int stride : {1, -1, 0, 5, -7, 1 << 20})
      for (const Index other : integers)
        for (const Index near : {-2, -1, 0, 1, 2, 3, 3 * (1 << 20), 9 * (1 << 20) + 1}) {
          const bool is_far = first > integers.back() - 1 || first < integers.front() + 1;
          if ((std::abs(stride) > 1 && is_far) || (near > 3 && other == integers.back())) continue;
          const IndexVector<T> index{first, stride};
          const Index b = other + near;
          const auto expect = [&](const auto& mask, auto&& wanted) {
            const std::vector<T> lane = this->lanes(mask);
            for (Index i = 0; i < this->size; ++i)
              ASSERT_EQ(lane[std::size_t(i)] != 0, wanted(first + i * stride))
                  << first << " by " << stride << " and " << b << ", lane " << i;
          };
          expect(index <= b, [&](Index x) { return x <= b; });
          expect(index < b, [&](Index x) { return x < b; });
          expect(index >= b, [&](Index x) { return x >= b; });
          expect(index > b, [&](Index x) { return x > b; });
          expect(index == b, [&](Index x) { return x == b; });
          expect(index != b, [&](Index x) { return x != b; });
          expect(b <= index, [&](Index x) { return b <= x; });
          expect(b < index, [&](Index x) { return b < x; });
          expect(b >= index, [&](Index x) { return b >= x; });
          expect(b > index, [&](Index x) { return b > x; });
        }
}

/// A rule gives a vector of positions the same answers as each of the positions, whether it is
/// written for vectors or evaluated for one position at a time.
TYPED_TEST(IndexVectors, RulesTreatAVectorAsTheyTreatEachPosition) {
  using T = TypeParam;
  const attn::ScoreShape shape{2, 4, 40, 50};
  const auto check = [&](const auto& rule) {
    const attn::BoundRule bound(rule, shape, attn::Align::lower_right);
    for (const Index row : {0, 3, 17, 32})
      for (Index key = 0; key < shape.keys; ++key)
        for (const Index count : {Index{1}, this->size}) {
          if (row + count > shape.queries) continue;
          const Positions<T> at{1, 2, {row}, key};
          simd::Vector<T> s = T(0.3) * simd::Vector<T>(IndexVector<T>{-2});
          const std::vector<T> before = this->lanes(s),
                               after = this->lanes(bound.score(s, at, count)),
                               allowed = this->lanes(bound.allows(at, count));
          for (Index i = 0; i < count; ++i) {
            const Position one{1, 2, row + i, key};
            EXPECT_EQ(allowed[std::size_t(i)] != 0, bound.allows(one));
            EXPECT_NEAR(after[std::size_t(i)], bound.score(before[std::size_t(i)], one),
                        sizeof(T) == 4 ? 1e-6 * 20 : 1e-13);
          }
        }
  };
  attn::Tensor<bool, 2> mask({40, 50});
  attn::Tensor<T, 4> bias({1, 4, 1, 50});
  for (Index i = 0; i < mask.size(); ++i) mask.data()[i] = i % 3 != 0;
  for (Index i = 0; i < bias.size(); ++i) bias.data()[i] = T(i % 11) - 5;
  const attn::Causal causal;
  const attn::SlidingWindow window{.left = 5, .right = 3}, one_side{.left = 4};
  const attn::Padding padding({40, 33});
  const attn::Keep keep(mask);
  const attn::Bias some(bias);
  const attn::Softcap cap{1.5};
  const attn::Alibi alibi(attn::Alibi::slopes(4));
  check(causal);
  check(window);
  check(one_side);
  check(padding);
  check(keep);
  check(some);
  check(cap);
  check(alibi);
  check(cap & alibi & padding);
  check(some & causal & keep);
}

}  // namespace
