// Every semantic that the README promises, by its name there.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include <thread>

#include "support/count_allocations.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::Position, attn::Tensor;

template <class T>
class Semantics : public testing::Test {
 protected:
  attn::Random random{7};
  static constexpr T infinity = std::numeric_limits<T>::infinity();
  static constexpr T nan = std::numeric_limits<T>::quiet_NaN();

  struct Operands {
    Tensor<T, 4> q, k, v;
  };
  Operands operands(Index B, Index H, Index L, Index S, Index E, Index Ev, Index G = 0) {
    G = G ? G : H;
    return {normal<T, 4>(random, {B, H, L, E}), normal<T, 4>(random, {B, G, S, E}),
            normal<T, 4>(random, {B, G, S, Ev})};
  }
  static double tolerance() { return std::is_same_v<T, double> ? 1e-13 : 3e-6; }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Semantics, Scalars);

const attn::ScaledDotProductAttention attend;

TYPED_TEST(Semantics, PolarityTrueMayAttend) {
  auto [q, k, v] = this->operands(1, 1, 2, 3, 4, 5);
  Tensor<bool, 2> mask({2, 3});
  mask(0, 1) = mask(1, 2) = true;
  const auto o = attend(q, k, v, attn::Keep{mask});
  EXPECT_EQ(o.matrix(0, 0).row(0), v.matrix(0, 0).row(1));
  EXPECT_EQ(o.matrix(0, 0).row(1), v.matrix(0, 0).row(2));
}

TYPED_TEST(Semantics, CausalWithOtherLengthsMustBeNamed) {
  auto [q, k, v] = this->operands(1, 2, 3, 5, 4, 4);
  EXPECT_THROW(attend(q, k, v, attn::Causal{}), attn::ShapeError);
  EXPECT_THROW(attend(q, k, v, attn::Causal{} & attn::Padding{{4}}), attn::ShapeError);
  EXPECT_THROW(attend(q, k, v, attn::SlidingWindow{.left = 2}), attn::ShapeError);
  PlainAttention left{.allows = [](Index, Index, Index i, Index j) { return j <= i; }},
      right{.allows = [](Index, Index, Index i, Index j) { return j <= i + 2; }};
  left.run(q, k, v, 0.5);
  right.run(q, k, v, 0.5);
  EXPECT_LT(largest_gap(attend(q, k, v, attn::Causal{Align::upper_left}), left.output),
            this->tolerance());
  EXPECT_LT(largest_gap(attend(q, k, v, attn::Causal{Align::lower_right}), right.output),
            this->tolerance());
  EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{{.align = Align::lower_right}}(
                            q, k, v, attn::Causal{}),
                        right.output),
            this->tolerance());
}

struct Behind {  // a rule of a user's
  bool allows(Position at) const { return at.key < at.query; }
  double score(double s, Position at) const { return s - 0.1 * double(at.query); }
};
TYPED_TEST(Semantics, OwnRuleMeansTheSameInDecoding) {
  auto [q, k, v] = this->operands(1, 2, 6, 6, 4, 4);
  const Tensor<TypeParam, 4> all = attend(q, k, v, Behind{}), last_query = q.slice(2, 5, 6).copy();
  const Tensor<TypeParam, 4> last =
      attn::ScaledDotProductAttention{{.align = Align::lower_right}}(last_query, k, v, Behind{});
  EXPECT_TRUE(same_bits(last, all.slice(2, 5, 6).copy()));
}

TYPED_TEST(Semantics, BiasOfMinusInfinityMasks) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(1, 1, 4, 4, 3, 3);
  Tensor<T, 2> bias({4, 4});
  for (Index i = 0; i < 4; ++i)
    for (Index j = i + 1; j < 4; ++j) bias(i, j) = -this->infinity;
  const auto expected = attend(q, k, v, attn::Bias{bias});
  EXPECT_LT(largest_gap(expected, attend(q, k, v, attn::Causal{})), this->tolerance());
  k.matrix(0, 0).row(3).setConstant(this->nan);
  v.matrix(0, 0).row(3).setConstant(this->infinity);
  EXPECT_TRUE((attend(q, k, v, attn::Bias{bias}).slice(2, 0, 3) == expected.slice(2, 0, 3)));
}

struct MinusInfinityOnOdd {
  template <class T>
  T score(T s, Position at) const {
    return at.key % 2 ? T(-std::numeric_limits<double>::infinity()) : s;
  }
};
TYPED_TEST(Semantics, AScoreOfMinusInfinityMasks) {
  auto [q, k, v] = this->operands(1, 1, 3, 4, 3, 3);
  v.matrix(0, 0).row(1).setConstant(this->nan);
  PlainAttention plain{.allows = [](Index, Index, Index, Index j) { return j % 2 == 0; }};
  EXPECT_LT(largest_gap(attend(q, k, v, MinusInfinityOnOdd{}),
                        plain.run(q, k, v, 1 / std::sqrt(3.0)).output),
            this->tolerance());
}

TYPED_TEST(Semantics, KeepAndBiasBroadcastAxesOfExtentOne) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(2, 3, 4, 5, 6, 2);
  Tensor<bool, 4> few({2, 1, 1, 5}), all({2, 3, 4, 5});
  auto small = normal<T, 4>(this->random, {1, 3, 4, 1});
  Tensor<T, 4> large({2, 3, 4, 5});
  for (Index b = 0; b < 2; ++b)
    for (Index j = 0; j < 5; ++j) {
      few(b, 0, 0, j) = (b + j) % 2 == 0;
      for (Index h = 0; h < 3; ++h)
        for (Index i = 0; i < 4; ++i) {
          all(b, h, i, j) = few(b, 0, 0, j);
          large(b, h, i, j) = small(0, h, i, 0);
        }
    }
  EXPECT_TRUE(same_bits(attend(q, k, v, attn::Keep{few}), attend(q, k, v, attn::Keep{all})));
  EXPECT_TRUE(same_bits(attend(q, k, v, attn::Bias{small}), attend(q, k, v, attn::Bias{large})));
  EXPECT_FALSE(same_bits(attend(q, k, v, attn::Keep{few}), attend(q, k, v)));
}

TYPED_TEST(Semantics, RulesOwnWhatTheyAreGivenAndCopiesAllocateNothing) {
  auto [q, k, v] = this->operands(2, 2, 4, 4, 3, 3);
  const auto make = [] {
    return attn::Causal{} & attn::Padding{std::vector<Index>{3, 4}} &
           attn::Alibi{std::vector<double>{0.5, 0.25}} & attn::Keep{Tensor<bool, 2>({1, 4})};
  };
  const auto rule = make();  // the vectors are gone
  const auto o = attend(q, k, v, rule);
  EXPECT_EQ(o.flat().cwiseAbs().maxCoeff(), 0) << "the mask keeps nothing";
  const std::size_t before = allocations;
  const auto copy = rule;
  const auto more = copy & attn::Softcap{3};
  EXPECT_EQ(allocations, before);
  EXPECT_FALSE(more.allows({0, 0, 0, 0}));
}

TYPED_TEST(Semantics, MasksComeLastSoACapLeaksNothing) {
  auto [q, k, v] = this->operands(1, 1, 3, 3, 4, 4);
  const auto one = attend.with_weights(q, k, v, attn::Causal{} & attn::Softcap{2}),
             other = attend.with_weights(q, k, v, attn::Softcap{2} & attn::Causal{});
  EXPECT_TRUE(same_bits(one.weights, other.weights));
  EXPECT_EQ(one.weights(0, 0, 0, 1), 0);
  EXPECT_EQ(one.weights(0, 0, 0, 0), 1);
}

TYPED_TEST(Semantics, ARowThatMayAttendToNothingIsZero) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(2, 2, 3, 5, 4, 6);
  const attn::Padding rule{{0, 5}};
  const auto [o, p] = attend.with_weights(q, k, v, rule);
  const auto with_sum = attend.with_log_sum_exp(q, k, v, rule);
  for (Index h = 0; h < 2; ++h)
    for (Index i = 0; i < 3; ++i) {
      EXPECT_EQ(o.matrix(0, h).row(i).cwiseAbs().maxCoeff(), T(0));
      EXPECT_EQ(p.matrix(0, h).row(i).cwiseAbs().maxCoeff(), T(0));
      EXPECT_EQ(with_sum.log_sum_exp(0, h, i), -this->infinity);
      EXPECT_NEAR(double(p.matrix(1, h).row(i).sum()), 1, 1e-6);
    }
}

TYPED_TEST(Semantics, AMaskedKeyOrValueDoesNotExist) {
  using T = TypeParam;
  const Index L = 19, S = 19;
  auto [q, k, v] = this->operands(1, 1, L, S, 5, 7);
  const auto causal = attend.with_weights(q, k, v, attn::Causal{});
  for (const T poison :
       {this->nan, this->infinity, -this->infinity, T(1e38), std::numeric_limits<T>::denorm_min()})
    for (Index j = 1; j < S; ++j) {
      Tensor<T, 4> bad_k = k, bad_v = v;
      bad_k.matrix(0, 0).row(j).setConstant(poison);
      bad_v.matrix(0, 0).row(j).setConstant(poison);
      const auto got = attend.with_weights(q, bad_k, bad_v, attn::Causal{});
      EXPECT_TRUE((got.output.slice(2, 0, j) == causal.output.slice(2, 0, j)))
          << "key " << j << " holds " << poison;
      EXPECT_TRUE((got.weights.slice(2, 0, j) == causal.weights.slice(2, 0, j)))
          << "key " << j << " holds " << poison;
    }
}

TYPED_TEST(Semantics, AnUnmaskedNaNStaysNaN) {
  auto [q, k, v] = this->operands(1, 1, 3, 4, 5, 2);
  auto bad_k = k, bad_v = v;
  bad_k(0, 0, 2, 1) = this->nan;
  bad_v(0, 0, 2, 1) = this->nan;
  EXPECT_TRUE(attend(q, bad_k, v).flat().array().isNaN().all());
  const auto o = attend(q, k, bad_v);
  for (Index i = 0; i < 3; ++i)
    EXPECT_TRUE(std::isnan(o(0, 0, i, 1)) && std::isfinite(o(0, 0, i, 0)));
  k.matrix(0, 0).row(2).setConstant(-1000);  // its weight underflows to 0, and 0 · NaN is NaN
  q.flat().setConstant(1);
  EXPECT_TRUE(std::isnan(attend(q, k, bad_v)(0, 0, 0, 1)));
}

TYPED_TEST(Semantics, EmptyShapes) {
  using T = TypeParam;
  auto none = this->operands(2, 3, 0, 4, 5, 6);
  EXPECT_EQ(attend(none.q, none.k, none.v).shape(), (attn::Shape<4>{2, 3, 0, 6}));
  auto no_keys = this->operands(2, 3, 4, 0, 5, 6);
  const auto zeros = attend.with_log_sum_exp(no_keys.q, no_keys.k, no_keys.v);
  EXPECT_EQ(zeros.output.shape(), (attn::Shape<4>{2, 3, 4, 6}));
  EXPECT_EQ(zeros.output.flat().cwiseAbs().maxCoeff(), T(0));
  EXPECT_EQ(zeros.log_sum_exp.flat().maxCoeff(), -this->infinity);
  auto no_size = this->operands(1, 2, 3, 4, 0, 6);
  const auto mean = attend(no_size.q, no_size.k, no_size.v);
  for (Index h = 0; h < 2; ++h)
    for (Index i = 0; i < 3; ++i)
      EXPECT_LT((mean.matrix(0, h).row(i) - no_size.v.matrix(0, h).colwise().mean())
                    .cwiseAbs()
                    .maxCoeff(),
                T(1e-6));
  auto no_values = this->operands(1, 2, 3, 4, 5, 0);
  EXPECT_EQ(attend(no_values.q, no_values.k, no_values.v).size(), 0);
  EXPECT_NEAR(double(attend.with_weights(no_values.q, no_values.k, no_values.v)
                         .weights.matrix(0, 1)
                         .row(2)
                         .sum()),
              1, 1e-6);
  auto nothing = this->operands(0, 2, 3, 4, 5, 6);
  EXPECT_EQ(attend(nothing.q, nothing.k, nothing.v).shape(), (attn::Shape<4>{0, 2, 3, 6}));
}

/// A query of each head by itself, with the key head that it reads.
template <class T, class R>
Tensor<T, 4> head_by_head(const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v,
                          const R& rule) {
  Tensor<T, 4> o({q.shape()[0], q.shape()[1], 1, v.shape()[3]});
  for (Index h = 0; h < q.shape()[1]; ++h) {
    const Index g = h * k.shape()[1] / q.shape()[1];
    const auto one = attn::ScaledDotProductAttention{}.with_weights(
        q.slice(1, h, h + 1), k.slice(1, g, g + 1), v.slice(1, g, g + 1), rule);
    copy(one.output.view(), o.slice(1, h, h + 1));
  }
  return o;
}

TYPED_TEST(Semantics, OneQueryOfEachHeadOfAGroupIsAsIfAlone) {
  using T = TypeParam;
  const attn::Align right = attn::Align::lower_right;
  for (const auto& [H, G, S] :
       {std::array<Index, 3>{6, 2, 700}, {9, 3, 65}, {5, 1, 193}, {4, 4, 30}}) {
    const auto q = normal<T, 4>(this->random, {2, H, 1, 24}),
               k = normal<T, 4>(this->random, {2, G, S, 24}),
               v = normal<T, 4>(this->random, {2, G, S, 20});
    const auto expect_same = [&](const auto& rule) {
      EXPECT_TRUE(
          same_bits(attn::ScaledDotProductAttention{}(q, k, v, rule), head_by_head(q, k, v, rule)));
    };
    expect_same(attn::NoMask{});
    expect_same(attn::Causal{right});
    expect_same(attn::SlidingWindow{.left = 50, .right = 0, .align = right} & attn::Softcap{3});
    expect_same(attn::Padding{{S / 2, S}});
  }
}

TYPED_TEST(Semantics, ARuleThatReadsTheHeadIsAskedForEachHead) {
  using T = TypeParam;
  const auto q = normal<T, 4>(this->random, {1, 6, 1, 8}),
             k = normal<T, 4>(this->random, {1, 2, 40, 8}),
             v = normal<T, 4>(this->random, {1, 2, 40, 8});
  const attn::Alibi alibi{attn::Alibi::slopes(6), attn::Align::lower_right};
  const auto both = attn::ScaledDotProductAttention{}.with_weights(q, k, v, alibi);
  EXPECT_TRUE(same_bits(attn::ScaledDotProductAttention{}(q, k, v, alibi), both.output));
  EXPECT_TRUE(same_bits(
      attn::ScaledDotProductAttention{}(q, k, v, attn::Causal{attn::Align::lower_right} & alibi),
      both.output));
}

TYPED_TEST(Semantics, GroupedQueryAttentionReadsKeyHeadHTimesGOverH) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(2, 6, 3, 5, 4, 4, 2);
  Tensor<T, 4> repeated_k({2, 6, 5, 4}), repeated_v({2, 6, 5, 4});
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 6; ++h) {
      repeated_k.matrix(b, h) = k.matrix(b, h < 3 ? 0 : 1);
      repeated_v.matrix(b, h) = v.matrix(b, h < 3 ? 0 : 1);
    }
  EXPECT_TRUE(same_bits(attend(q, k, v), attend(q, repeated_k, repeated_v)));
}

TYPED_TEST(Semantics, WithWeightsTheOutputIsBitwiseIdentical) {
  auto [q, k, v] = this->operands(2, 3, 17, 29, 20, 9);
  const auto rule = attn::Causal{Align::lower_right} & attn::Padding{{29, 11}};
  EXPECT_TRUE(same_bits(attend.with_weights(q, k, v, rule).output, attend(q, k, v, rule)));
}

// 530 keys are three tiles of the default kernel, and 100 queries more than one of its tasks.
TYPED_TEST(Semantics, BitwiseIdenticalWhateverElseIsInTheBatch) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(3, 4, 100, 530, 20, 9);
  const auto rule = attn::Causal{Align::lower_right};
  const Tensor<T, 4> all = attend(q, k, v, rule);
  for (const Index b : {0, 2})
    for (const Index h : {0, 3}) {
      const Tensor<T, 2> alone = attend(q[b][h], k[b][h], v[b][h], rule);
      EXPECT_TRUE(same_bits(alone, all[b][h].copy())) << "one head of one sequence";
    }
  const Tensor<T, 4> every = attend(q, k, v);
  for (const Index begin : {0, 1, 24, 37, 96})
    for (const Index end : {begin + 1, begin + 3, Index{100}}) {
      const Tensor<T, 4> some = attend(q.slice(2, begin, end), k, v);
      EXPECT_TRUE(same_bits(some, every.slice(2, begin, end).copy()))
          << "queries " << begin << " to " << end;
    }
}

TYPED_TEST(Semantics, BitwiseIdenticalAtAnyAddress) {
  using T = TypeParam;
  const auto [q, k, v] = this->operands(2, 2, 35, 200, 20, 9);
  const Tensor<T, 4> expected = attend(q, k, v, attn::Causal{Align::lower_right});
  for (Index offset = 0; offset < 16; ++offset) {
    const auto moved = [&](const Tensor<T, 4>& x, std::vector<T>& memory) {
      memory.assign(static_cast<std::size_t>(x.size() + 16), T(0));
      std::copy_n(x.data(), x.size(), memory.data() + offset);
      return attn::TensorView<T, 4>(memory.data() + offset, x.shape());
    };
    std::vector<T> memory_q, memory_k, memory_v, memory_o;
    const auto to = moved(expected, memory_o);
    attend.into(to, moved(q, memory_q), moved(k, memory_k), moved(v, memory_v),
                attn::Causal{Align::lower_right});
    EXPECT_TRUE(same_bits(to.copy(), expected)) << offset;
  }
}

TYPED_TEST(Semantics, DecodingGivesTheRowOfTheFullCausalPass) {
  using T = TypeParam;
  const Index L = 400;
  const auto [q, k, v] = this->operands(1, 2, L, L, 20, 9);
  const auto check = [&](const auto& rule) {
    const Tensor<T, 4> full = attend(q, k, v, rule);
    for (const Index i : {0, 1, 5, 23, 24, 191, 192, 193, 255, 384, 399}) {
      const Tensor<T, 4> one =
          attend(q.slice(2, i, i + 1), k.slice(2, 0, i + 1), v.slice(2, 0, i + 1), rule);
      EXPECT_TRUE(same_bits(one, full.slice(2, i, i + 1).copy())) << "step " << i;
    }
  };
  check(attn::Causal{Align::lower_right});
  check(attn::Causal{Align::lower_right} &
        attn::SlidingWindow{.left = 100, .align = Align::lower_right});
  check(attn::Causal{Align::lower_right} & attn::Softcap{2} &
        attn::Alibi{attn::Alibi::slopes(2), Align::lower_right});
}

TYPED_TEST(Semantics, BitwiseIdenticalForAnyNumberOfThreadsAndAnyExecutor) {
  using T = TypeParam;
  auto [q, k, v] = this->operands(2, 5, 133, 429, 20, 9);
  const auto rule = attn::Causal{Align::lower_right};
  attn::set_num_threads(1);
  const Tensor<T, 4> one = attend(q, k, v, rule);
  for (const Index threads : {2, 3, 8}) {
    attn::set_num_threads(threads);
    EXPECT_TRUE(same_bits(attend(q, k, v, rule), one)) << threads << " threads";
  }
  attn::set_executor([](Index count, attn::Task task) {  // backwards, on a thread of its own each
    std::vector<std::thread> threads;
    for (Index i = count; i-- > 0;) threads.emplace_back([task, i] { task(i); });
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_TRUE(same_bits(attend(q, k, v, rule), one));
  attn::set_executor(attn::Serial{});
  EXPECT_TRUE(same_bits(attend(q, k, v, rule), one));
  attn::set_executor(attn::Pool{});
}

}  // namespace
