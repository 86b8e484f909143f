// A part of the queries and keys, placed among all of them by Offsets; and parts that merge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::Offsets, attn::Tensor;

const attn::ScaledDotProductAttention attend;

struct OffsetsOf : testing::Test {
  static constexpr Index B = 2, H = 4, L = 50, E = 8;
  attn::Random random{8};
  Tensor<double, 4> q = normal<double, 4>(random, {B, H, L, E}),
                    k = normal<double, 4>(random, {B, 2, L, E}),
                    v = normal<double, 4>(random, {B, 2, L, E});
  Tensor<bool, 2> mask{{L, L}};
  Tensor<double, 2> bias = normal<double, 2>(random, {L, L});
  OffsetsOf() {
    for (Index i = 0; i < mask.size(); ++i) mask.data()[i] = random.index(3) > 0;
  }
};

/// A rule of a user's about places.
struct Diagonals {
  bool allows(attn::Position at) const { return (at.query + 2 * at.key) % 3 != 0; }
};

TEST_F(OffsetsOf, AChunkOfThePromptGiveItsRowsOfTheWhole) {
  const auto compare = [&](const auto& rule) {
    const Tensor<double, 4> all = attend(q, k, v, rule);
    for (const auto& [begin, end] : {std::pair(0, 7), std::pair(7, 30), std::pair(30, 50)}) {
      const auto chunk =
          attend(q.slice(2, begin, end), k, v, rule, Offsets{.query = begin, .queries = L});
      EXPECT_TRUE(same_bits(chunk, all.slice(2, begin, end).copy())) << begin;
    }
  };
  compare(attn::Causal{});
  compare(attn::SlidingWindow{.left = 5, .right = 3} & attn::Alibi{attn::Alibi::slopes(H)});
  compare(attn::Keep{mask});
  compare(attn::Bias{bias} & attn::Causal{});
  compare(Diagonals{});
  const Tensor<double, 4> all = attend(q, k, v, attn::Causal{});
  const auto with_a_cache = attend(q.slice(2, 20, 30), k.slice(2, 0, 30), v.slice(2, 0, 30),
                                   attn::Causal{}, Offsets{.query = 20});
  EXPECT_TRUE(same_bits(with_a_cache, all.slice(2, 20, 30).copy()));
}

/// Rows that lie apart, in every lane of a vector.
template <class T>
void compare_every_nth_query() {
  attn::Random random{18};
  const Index H = 6, L = 300;
  const auto q = normal<T, 4>(random, {1, H, L, 8}), k = normal<T, 4>(random, {1, 2, L, 8}),
             v = normal<T, 4>(random, {1, 2, L, 8}), d_output = normal<T, 4>(random, {1, H, L, 8});
  const auto compare = [&](const auto& rule) {
    const Tensor<T, 4> all = attend(q, k, v, rule);
    for (const Index stride : {2, 5, 6, 7, 17, 100}) {
      const Index rows = 1 + (L - 1 - 3) / stride;
      Tensor<T, 4> some({1, H, rows, 8}), wanted(some.shape()), d_some(some.shape());
      Tensor<T, 4> d_all(q.shape());
      for (Index h = 0; h < H; ++h)
        for (Index i = 0; i < rows; ++i)
          for (Index e = 0; e < 8; ++e) {
            some(0, h, i, e) = q(0, h, 3 + i * stride, e);
            wanted(0, h, i, e) = all(0, h, 3 + i * stride, e);
            d_some(0, h, i, e) = d_output(0, h, i, e);
            d_all(0, h, 3 + i * stride, e) = d_output(0, h, i, e);
          }
      const Offsets offsets{.query = 3, .query_stride = stride, .queries = L};
      ASSERT_TRUE(same_bits(attend(some, k, v, rule, offsets), wanted)) << "stride " << stride;
      const auto d_value = [&](const Tensor<T, 4>& x, const Tensor<T, 4>& dy, const Offsets& at) {
        const auto [o, log_sum_exp] = attend.with_log_sum_exp(x, k, v, rule, at);
        Tensor<T, 4> dq(x.shape()), dk(k.shape()), dv(v.shape());
        attend.backward(attn::AttentionInputs<T>{x, k, v}, {o, log_sum_exp, dy}, rule, {dq, dk, dv},
                        at);
        return dv;
      };
      EXPECT_LT(largest_gap(d_value(some, d_some, offsets), d_value(q, d_all, {})),
                sizeof(T) == 4 ? 1e-4 : 1e-12)
          << "stride " << stride;
    }
  };
  compare(attn::Causal{});
  compare(attn::SlidingWindow{.left = 20, .right = 3});
  compare(attn::Causal{} & attn::Alibi{attn::Alibi::slopes(H)});
  compare(Diagonals{});
}
TEST_F(OffsetsOf, EveryNthQueryGiveItsRowsOfTheWhole) {
  compare_every_nth_query<float>();
  compare_every_nth_query<double>();
}

TEST_F(OffsetsOf, ABeamGiveEachOfItsQueriesTheSameRow) {
  const auto compare = [&](const auto& rule) {
    const Index row = 17, beam = 19;
    const auto together = attend(q.slice(2, 0, beam), k, v, rule,
                                 Offsets{.query = row, .query_stride = 0, .queries = L});
    for (Index i = 0; i < beam; ++i) {
      const auto alone =
          attend(q.slice(2, i, i + 1), k, v, rule, Offsets{.query = row, .queries = L});
      EXPECT_TRUE(same_bits(alone, together.slice(2, i, i + 1).copy())) << i;
    }
  };
  compare(attn::Causal{} & attn::Alibi{attn::Alibi::slopes(H)});
  compare(attn::Keep{mask});
  compare(attn::Bias{bias});
  compare(Diagonals{});
}

TEST_F(OffsetsOf, TheBackwardPassGiveTheChunksSum) {
  const auto compare = [&](const auto& rule) {
    const auto run = [&](const std::vector<attn::Range>& chunks) {
      std::vector<Tensor<double, 4>> sums{
          Tensor<double, 4>(q.shape()), Tensor<double, 4>(k.shape()), Tensor<double, 4>(v.shape())};
      for (const attn::Range& rows : chunks) {
        const Offsets offsets{.query = rows.begin, .queries = L};
        const auto query = std::as_const(q).slice(2, rows.begin, rows.end);
        const auto given = attend.with_log_sum_exp(query, k, v, rule, offsets);
        Tensor<double, 4> dk(k.shape()), dv(v.shape());
        attend.backward(attn::AttentionInputs<double>{query, k, v},
                        {given.output, given.log_sum_exp, query}, rule,
                        {sums[0].slice(2, rows.begin, rows.end), dk, dv}, offsets);
        sums[1].flat() += dk.flat();
        sums[2].flat() += dv.flat();
      }
      return sums;
    };
    const auto whole = run({{0, L}}), parts = run({{0, 1}, {1, 20}, {20, L}});
    for (std::size_t n = 0; n < 3; ++n) EXPECT_LT(largest_gap(parts[n], whole[n]), 1e-13) << n;
  };
  compare(attn::Causal{} & attn::Softcap{2});
  compare(attn::Bias{bias} & attn::Keep{mask});
}

TEST_F(OffsetsOf, AShardOfTheKeysMergeIntoTheWhole) {
  const auto compare = [&](const auto& rule) {
    const auto whole = attend.with_log_sum_exp(q, k, v, rule);
    for (const Index cut : {0, 1, 20, 49, 50}) {
      const auto shard = [&](Index begin, Index end) {
        return attend.with_log_sum_exp(q, k.slice(2, begin, end), v.slice(2, begin, end), rule,
                                       Offsets{.key = begin, .keys = L});
      };
      auto left = shard(0, cut), right = shard(cut, L);
      const auto right_alone = right;
      attn::Partial<double>{right.output, right.log_sum_exp}.merge({left.output, left.log_sum_exp});
      EXPECT_LT(largest_gap(right.output, whole.output), 1e-14) << cut;
      EXPECT_LT(largest_gap(right.log_sum_exp, whole.log_sum_exp), 1e-14) << cut;
      attn::Partial<double>{left.output, left.log_sum_exp}.merge(
          {right_alone.output, right_alone.log_sum_exp});
      EXPECT_LT(largest_gap(left.output, whole.output), 1e-14) << cut;
      if (cut > 0 && cut < L) continue;
      EXPECT_TRUE(same_bits(left.output, whole.output)) << "a part of nothing changes nothing";
      EXPECT_TRUE(same_bits(right.log_sum_exp, whole.log_sum_exp));
    }
  };
  compare(attn::NoMask{});
  compare(attn::Causal{});
  compare(attn::Keep{mask} & attn::Padding{{50, 12}});
  compare(attn::Bias{bias} & attn::Alibi{attn::Alibi::slopes(H)});
  compare(attn::Padding{{0, 50}});
}

TEST_F(OffsetsOf, APartThatDoesNotLieWithinTheWholeIsASentence) {
  const auto sentence = [&](const Offsets& offsets) {
    return sentence_of<attn::ShapeError>([&] { attend(q, k, v, attn::NoMask{}, offsets); });
  };
  EXPECT_EQ(sentence({.query = 10, .queries = 55}),
            "ScaledDotProductAttention: offsets place the queries at 10 to 60, which must lie "
            "within all L = 55 of them");
  EXPECT_EQ(sentence({.key = -1}),
            "ScaledDotProductAttention: offsets place the keys at -1 to 49, which must lie within "
            "all S = 49 of them");
  EXPECT_EQ(sentence({.key = 1, .keys = 50}),
            "ScaledDotProductAttention: offsets place the keys at 1 to 51, which must lie within "
            "all S = 50 of them");
  constexpr Index largest = std::numeric_limits<Index>::max();
  for (const Index stride : {Index{-1}, (Index{1} << 20) + 1, largest})
    EXPECT_EQ(sentence_of<attn::OptionError>(
                  [&] { attend(q, k, v, attn::NoMask{}, Offsets{.query_stride = stride}); }),
              "ScaledDotProductAttention: query_stride = " + std::to_string(stride) +
                  " must be at least 0 and at most 1048576");
  for (const Offsets& offsets : {Offsets{.query = largest - 1}, Offsets{.key = largest}})
    EXPECT_THAT(sentence(offsets),
                testing::HasSubstr("to " + std::to_string(largest) + ", which must lie"));
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { attend(q.slice(2, 3, 5), k, v, attn::Keep{mask}, Offsets{.query = 3}); }),
            "Keep: shape (1, 1, 50, 50) must be that of the scores (B, H, L, S) = (2, 4, 5, 50), "
            "or 1, on each axis");
}

TEST(Partial, OfOtherShapesIsASentence) {
  Tensor<float, 4> o({1, 2, 3, 4}), p({1, 2, 4, 4});
  Tensor<float, 3> x({1, 2, 3}), y({1, 2, 4});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attn::Partial<float>{o, x}.merge({p, y});
            }),
            "Partial: the merged output (1, 2, 4, 4) and log_sum_exp (1, 2, 4) must have the "
            "shapes (1, 2, 3, 4) and (1, 2, 3)");
}

}  // namespace
