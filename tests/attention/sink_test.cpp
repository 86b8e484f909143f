// A logit of each head that joins the sum of the softmax and has no value.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train/gradient_check.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::LearnedSink, attn::Sink, attn::Tensor;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
class Sinks : public testing::Test {
 protected:
  /// Drawn operands under a drawn rule and drawn logits, by plain loops and by a kernel.
  template <class Kernel>
  void compare(std::uint64_t number) {
    attn::Random random{number};
    const Index B = 1 + random.index(2), G = 1 + random.index(2), H = G * (1 + random.index(3)),
                L = random.index(2) == 0 ? 1 + random.index(3) : random.index(70),
                S = random.index(random.index(4) == 0 ? 900 : 60), E = 1 + random.index(40);
    auto q = normal<T, 4>(random, {B, H, L, E});
    const auto k = normal<T, 4>(random, {B, G, S, E}), v = normal<T, 4>(random, {B, G, S, 7});
    q.flat() *= T(random.index(3));
    std::vector<double> logits;
    for (Index h = 0; h < H; ++h) logits.push_back(double(float(3 * random.normal<double>())));
    const Index shift = S - L, left = random.index(50);
    PlainAttention plain{.allows = [&](Index, Index, Index i,
                                       Index j) { return j <= i + shift && i + shift - j <= left; },
                         .sink = [&](Index h) { return logits[std::size_t(h)]; }};
    plain.run(q, k, v, 1 / std::sqrt(double(E)));
    const attn::ScaledDotProductAttention<Kernel> attend{{.align = Align::lower_right}};
    const auto rule = attn::SlidingWindow{.left = left, .right = 0} & Sink{logits};
    const auto weighted = attend.with_weights(q, k, v, rule);
    const auto summed = attend.with_log_sum_exp(q, k, v, rule);
    const double tolerance = sizeof(T) == 4 ? 1e-5 : 2e-14;
    EXPECT_LT(largest_gap(weighted.output, plain.output), tolerance);
    EXPECT_LT(largest_gap(weighted.weights, plain.weights), tolerance);
    EXPECT_LT(largest_gap(summed.log_sum_exp, plain.log_sum_exp), tolerance);
    EXPECT_TRUE(same_bits(summed.output, weighted.output));
    EXPECT_TRUE(same_bits(attend(q, k, v, rule), weighted.output));
    if (this->HasFailure()) ADD_FAILURE() << "case " << number << ", L " << L << ", S " << S;
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Sinks, Scalars);

TYPED_TEST(Sinks, JoinTheSumOfTheSoftmax) {
  const Index before = attn::num_threads();
  for (std::uint64_t number = 0; number < 120 && !this->HasFailure(); ++number) {
    attn::set_num_threads(Index(number % 3) + 1);
    this->template compare<attn::Tiled>(number);
    this->template compare<attn::Reference>(number);
  }
  attn::set_num_threads(before);
}

/// Queries among many, heads of a group together, keys divided between threads.
TYPED_TEST(Sinks, ActBitwiseTheSameHoweverACallIsDivided) {
  using T = TypeParam;
  attn::Random random{4};
  const Index before = attn::num_threads();
  for (const attn::Shape<2>& heads : {attn::Shape<2>{6, 2}, attn::Shape<2>{130, 1}}) {
    const auto q = normal<T, 4>(random, {1, heads[0], 20, 20}),
               k = normal<T, 4>(random, {1, heads[1], 700, 20}),
               v = normal<T, 4>(random, {1, heads[1], 700, 9});
    std::vector<double> logits;
    for (Index h = 0; h < heads[0]; ++h) logits.push_back(3 * random.normal<double>());
    const attn::ScaledDotProductAttention attend;
    const auto rule = attn::Causal{Align::lower_right} & Sink{logits};
    const Tensor<T, 4> all = attend(q, k, v, rule);
    for (const Index threads : {1, 2, 7})
      for (const Index L : {1, 2, 9}) {
        attn::set_num_threads(threads);
        const auto last = attend(q.slice(2, 20 - L, 20), k, v, rule);
        EXPECT_TRUE(same_bits(last, all.slice(2, 20 - L, 20).copy())) << L << ", " << threads;
      }
  }
  attn::set_num_threads(before);
}

TYPED_TEST(Sinks, AloneGiveNothingButTheirLogit) {
  using T = TypeParam;
  attn::Random random{5};
  const auto q = normal<T, 4>(random, {2, 2, 4, 3}), k = normal<T, 4>(random, {2, 2, 6, 3}),
             v = normal<T, 4>(random, {2, 2, 6, 3});
  const auto expect = [&](const auto& attend, const auto& key, const auto& value) {
    const auto rule = attn::Padding{{0, 0}} & Sink{{0.5, -1.25}};
    const auto none = attend.with_log_sum_exp(q, key, value, rule);
    for (Index b = 0; b < 2; ++b)
      for (Index i = 0; i < 4; ++i) {
        EXPECT_EQ(none.log_sum_exp(b, 0, i), T(0.5));
        EXPECT_EQ(none.log_sum_exp(b, 1, i), T(-1.25));
      }
    EXPECT_TRUE(same_bits(none.output, Tensor<T, 4>(q.shape())));
  };
  expect(attn::ScaledDotProductAttention{}, k, v);
  expect(attn::ScaledDotProductAttention{{}, attn::Reference{}}, k, v);
  expect(attn::ScaledDotProductAttention{}, k.slice(2, 0, 0), v.slice(2, 0, 0));
  expect(attn::ScaledDotProductAttention{{}, attn::Reference{}}, k.slice(2, 0, 0),
         v.slice(2, 0, 0));
  const attn::ScaledDotProductAttention attend;
  EXPECT_TRUE(same_bits(attend(q, k, v, Sink{-infinity}), attend(q, k, v)));
}

TEST(Sink, OfKeysInFewerBitsIsThatOfTheirNumbers) {
  attn::Random random{6};
  const auto q = normal<float, 4>(random, {1, 4, 30, 16}),
             x = normal<float, 4>(random, {1, 2, 400, 16});
  const auto k = attn::cast<attn::bfloat16>(x);
  const attn::ScaledDotProductAttention attend;
  const Sink rule{{1, 2, 3, 4}};
  EXPECT_TRUE(same_bits(attend(q, k, x, rule), attend(q, attn::cast<float>(k), x, rule)));
}

TEST(Sink, OfSeveralAllJoinTheSum) {
  attn::Random random{7};
  const auto q = normal<double, 4>(random, {1, 2, 5, 3}),
             k = normal<double, 4>(random, {1, 2, 8, 3});
  const attn::ScaledDotProductAttention attend;
  const auto both = attend.with_log_sum_exp(q, k, k, Sink{{1, -2}} & attn::Softcap{2} & Sink{0}),
             one = attend.with_log_sum_exp(
                 q, k, k,
                 attn::Softcap{2} & Sink{{std::log(std::exp(1) + 1), std::log(std::exp(-2) + 1)}});
  EXPECT_LT(largest_gap(both.output, one.output), 1e-15);
  EXPECT_LT(largest_gap(both.log_sum_exp, one.log_sum_exp), 1e-15);
}

/// A user's rule may have one as well.
struct OffByOne {
  double sink(Index) const { return 0; }
};
TEST(Sink, MayBeTheRuleOfAUser) {
  static_assert(attn::Rule<OffByOne>);
  attn::Random random{8};
  const auto q = normal<double, 4>(random, {1, 2, 5, 3}),
             k = normal<double, 4>(random, {1, 2, 8, 3});
  const attn::ScaledDotProductAttention attend;
  EXPECT_TRUE(same_bits(attend(q, k, k, OffByOne{}), attend(q, k, k, Sink{0})));
}

TEST(Sink, GradientsAreFiniteDifferences) {
  attn::Random random{9};
  const Index H = 4;
  const auto q = normal<double, 4>(random, {2, H, 9, 5}),
             k = normal<double, 4>(random, {2, 2, 12, 5}),
             v = normal<double, 4>(random, {2, 2, 12, 4});
  const auto slopes = normal<double, 1>(random, {H});
  const auto check = [&](const auto& attention, Index logits, bool dropped) {
    const auto f = [&](const auto& z, const auto& s, const auto& a, const auto& b, const auto& c) {
      return attention(a, b, c,
                       attn::combine(LearnedSink{z}, attn::LearnedAlibi{s}, attn::Softcap{2},
                                     Sink{0.5}, attn::Causal{}, attn::Padding{{12, 0}}));
    };
    const auto random_of_tape = dropped ? std::optional(attn::Random{5}) : std::nullopt;
    const auto report = attn::gradient_check(f, {}, {.samples = 25, .dropout = random_of_tape},
                                             normal<double, 1>(random, {logits}), slopes, q, k, v);
    EXPECT_LT(report.relative(), 1e-7) << report;
  };
  const attn::AttentionOptions options{.align = Align::lower_right, .dropout = 0.3};
  for (const Index logits : {H, Index{1}})
    for (const bool dropped : {false, true}) {
      check(attn::ScaledDotProductAttention{options}, logits, dropped);
      check(attn::ScaledDotProductAttention{options, attn::Reference{}}, logits, dropped);
    }
}

TEST(Sink, GradientsAreBitwiseIdenticalForAnyNumberOfThreads) {
  attn::Random random{10};
  const Index before = attn::num_threads();
  const auto q = normal<float, 4>(random, {1, 3, 90, 8});
  const auto z = normal<float, 1>(random, {3});
  const auto gradient = [&](Index threads) {
    attn::set_num_threads(threads);
    attn::Tape<float> tape;
    const auto logits = tape.variable(z);
    const attn::ScaledDotProductAttention attend;
    tape.backward(attend(tape.variable(q), q, q, attn::Causal{} & LearnedSink{logits}), q);
    return logits.grad();
  };
  const auto alone = gradient(1);
  for (const Index threads : {2, 5}) EXPECT_TRUE(same_bits(gradient(threads), alone));
  attn::set_num_threads(before);
}

TEST(Sink, MustBeOneForEachHeadOrOneForAll) {
  const Tensor<float, 4> x({1, 4, 3, 2});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attn::ScaledDotProductAttention{}(x, x, x, Sink{{1, 2, 3}});
            }),
            "Sink: 3 logits must be one for each of the H = 4 heads, or one for all");
  for (const double bad : {std::numeric_limits<double>::infinity(), std::nan(""), 1e39})
    EXPECT_THROW(attn::ScaledDotProductAttention{}(x, x, x, Sink{bad}), attn::OptionError) << bad;
}

}  // namespace
