#include <gtest/gtest.h>
#include <attn/rules/rules.hpp>

#include "support/expect_error.hpp"

namespace {

using attn::Align, attn::BoundRule, attn::Coverage, attn::Index, attn::Position, attn::ScoreShape;

/// Asks a rule of every score of a head, rows counted from 0, and draws the answers, a row a line.
template <class R>
std::string drawn(const R& rule, const ScoreShape& shape, std::optional<Align> align = std::nullopt,
                  Index batch = 0, Index head = 0) {
  const BoundRule<R> bound(rule, shape, align);
  std::string picture;
  for (Index i = 0; i < shape.queries; ++i) {
    for (Index j = 0; j < shape.keys; ++j) picture += bound.allows({batch, head, i, j}) ? 'x' : '.';
    picture += '\n';
  }
  return picture;
}

/// `cover` must agree with `allows` on every rectangle, and if `exact` never say `partial` of
/// a rectangle that is empty or full.
template <class R>
void expect_cover(const R& rule, const ScoreShape& shape, bool exact,
                  std::optional<Align> align = std::nullopt) {
  const BoundRule<R> bound(rule, shape, align);
  for (Index b = 0; b < shape.batch; ++b)
    for (Index i0 = 0; i0 < shape.queries; ++i0)
      for (Index i1 = i0 + 1; i1 <= shape.queries; ++i1)
        for (Index j0 = 0; j0 < shape.keys; ++j0)
          for (Index j1 = j0 + 1; j1 <= shape.keys; ++j1) {
            Index allowed = 0;
            for (Index i = i0; i < i1; ++i)
              for (Index j = j0; j < j1; ++j) allowed += bound.allows({b, 0, i, j});
            const Coverage truth = allowed == 0                       ? Coverage::empty
                                   : allowed == (i1 - i0) * (j1 - j0) ? Coverage::full
                                                                      : Coverage::partial;
            const Coverage said = bound.cover({b, 0, i0, i1, j0, j1});
            const bool may_be_unsure = !exact && said == Coverage::partial;
            ASSERT_TRUE(said == truth || may_be_unsure)
                << "queries " << i0 << ':' << i1 << ", keys " << j0 << ':' << j1;
          }
}

TEST(NoMask, AllowsAll) {
  EXPECT_EQ(drawn(attn::NoMask{}, {1, 1, 2, 3}), "xxx\nxxx\n");
  expect_cover(attn::NoMask{}, {1, 1, 3, 3}, true);
}

TEST(Causal, AttendsToThePastOnly) {
  EXPECT_EQ(drawn(attn::Causal{}, {1, 1, 3, 3}), "x..\nxx.\nxxx\n");
  expect_cover(attn::Causal{}, {1, 1, 5, 5}, true);
}

TEST(Causal, WithOtherLengthsStandsWhereItsAlignmentSays) {
  EXPECT_EQ(drawn(attn::Causal{Align::upper_left}, {1, 1, 2, 4}), "x...\nxx..\n");
  EXPECT_EQ(drawn(attn::Causal{Align::lower_right}, {1, 1, 2, 4}), "xxx.\nxxxx\n");
  EXPECT_EQ(drawn(attn::Causal{Align::lower_right}, {1, 1, 4, 2}), "..\n..\nx.\nxx\n");
  EXPECT_EQ(drawn(attn::Causal{}, {1, 1, 2, 4}, Align::lower_right), "xxx.\nxxxx\n")
      << "the call's alignment counts where the rule has none";
  EXPECT_EQ(drawn(attn::Causal{Align::upper_left}, {1, 1, 2, 4}, Align::lower_right),
            "x...\nxx..\n")
      << "the rule's own alignment precedes it";
  expect_cover(attn::Causal{Align::lower_right}, {1, 1, 3, 6}, true);
  expect_cover(attn::Causal{Align::upper_left}, {1, 1, 6, 3}, true);
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              drawn(attn::Causal{}, {1, 1, 2, 4});
            }),
            "ScaledDotProductAttention: a rule about distances needs its alignment named where the "
            "query length L = 2 is not the key length S = 4: "
            "Align::lower_right (the last query stands at the last key) or Align::upper_left");
}

TEST(SlidingWindow, ReachesLeftAndRight) {
  EXPECT_EQ(drawn(attn::SlidingWindow{.left = 1, .right = 0}, {1, 1, 4, 4}),
            "x...\nxx..\n.xx.\n..xx\n");
  EXPECT_EQ(drawn(attn::SlidingWindow{.left = 0, .right = 2}, {1, 1, 4, 4}),
            "xxx.\n.xxx\n..xx\n...x\n");
  EXPECT_EQ(drawn(attn::SlidingWindow{.right = 0}, {1, 1, 3, 3}),
            drawn(attn::Causal{}, {1, 1, 3, 3}))
      << "a side left out has no limit";
  EXPECT_EQ(
      drawn(attn::SlidingWindow{.left = 1, .right = 0, .align = Align::lower_right}, {1, 1, 2, 4}),
      ".xx.\n..xx\n");
  expect_cover(attn::SlidingWindow{.left = 1, .right = 2}, {1, 1, 6, 6}, true);
  expect_cover(attn::SlidingWindow{.left = 2, .align = Align::lower_right}, {1, 1, 3, 6}, true);
  EXPECT_EQ(
      sentence_of<attn::OptionError>([] {
        drawn(attn::SlidingWindow{.left = -1, .right = 2}, {1, 1, 2, 2});
      }),
      "SlidingWindow: left = -1 and right = 2 must be at least 0; a side left out has no limit");
}

TEST(SlidingWindow, KeepsTheFirstKeys) {
  EXPECT_EQ(drawn(attn::SlidingWindow{.left = 1, .right = 0, .first = 2}, {1, 1, 6, 6}),
            "x.....\nxx....\nxxx...\nxxxx..\nxx.xx.\nxx..xx\n");
  EXPECT_EQ(drawn(attn::SlidingWindow{.left = 0, .right = 1, .first = 1}, {1, 1, 4, 4}),
            "xx..\nxxx.\nx.xx\nx..x\n");
  for (const Index first : {1, 2, 4, 9})
    for (const Index left : {0, 1, 3}) {
      expect_cover(attn::SlidingWindow{.left = left, .right = 0, .first = first}, {1, 1, 7, 7},
                   true);
      expect_cover(attn::SlidingWindow{.left = left, .right = 2, .first = first}, {1, 1, 7, 7},
                   true);
    }
  expect_cover(attn::SlidingWindow{.left = 1, .align = Align::lower_right, .first = 2},
               {1, 1, 3, 7}, true);
  EXPECT_EQ(sentence_of<attn::OptionError>([] {
              drawn(attn::SlidingWindow{.first = -1}, {1, 1, 2, 2});
            }),
            "SlidingWindow: first = -1 must be at least 0");
}

TEST(Padding, EndsEachSequenceAtItsLength) {
  const attn::Padding rule{{3, 0, 1}};
  EXPECT_EQ(drawn(rule, {3, 1, 1, 3}, {}, 0), "xxx\n");
  EXPECT_EQ(drawn(rule, {3, 1, 1, 3}, {}, 1), "...\n");
  EXPECT_EQ(drawn(rule, {3, 1, 1, 3}, {}, 2), "x..\n");
  expect_cover(rule, {3, 1, 2, 3}, true);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(rule, {2, 1, 1, 3});
            }),
            "Padding: 3 lengths must be one for each of the B = 2 sequences");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(rule, {3, 1, 1, 2});
            }),
            "Padding: length 3 must be at least 0 and at most the key length S = 2");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(attn::Padding{{-1}}, {1, 1, 1, 2});
            }),
            "Padding: length -1 must be at least 0 and at most the key length S = 2");
}

TEST(Keep, TrueMayAttendAndAxesOfOneStandForAll) {
  attn::Tensor<bool, 4> mask({2, 1, 1, 3});
  mask(0, 0, 0, 1) = mask(1, 0, 0, 2) = true;
  EXPECT_EQ(drawn(attn::Keep{mask}, {2, 2, 2, 3}, {}, 0, 1), ".x.\n.x.\n");
  EXPECT_EQ(drawn(attn::Keep{attn::view(mask)}, {2, 2, 2, 3}, {}, 1, 0), "..x\n..x\n");
  attn::Tensor<bool, 2> square({2, 3});
  square(1, 2) = true;
  EXPECT_EQ(drawn(attn::Keep{square}, {2, 2, 2, 3}, Align::lower_right), "...\n..x\n")
      << "a table has a row for each query";
  expect_cover(attn::Keep{square}, {1, 1, 2, 3}, false);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(attn::Keep{mask}, {3, 1, 1, 3});
            }),
            "Keep: shape (2, 1, 1, 3) must be that of the scores (B, H, L, S) = (3, 1, 1, 3), or "
            "1, on each axis");
}

TEST(Keep, OwnsWhatIsMovedInAndSeesChangesThroughAView) {
  attn::Tensor<bool, 2> mask({1, 2});
  const attn::Keep view{attn::view(mask)}, copy{mask};
  mask(0, 1) = true;
  EXPECT_EQ(drawn(view, {1, 1, 1, 2}), ".x\n");
  EXPECT_EQ(drawn(copy, {1, 1, 1, 2}), "..\n");
  const bool* data = mask.data();
  const attn::Keep owner{std::move(mask)}, shared = owner;
  EXPECT_EQ(drawn(shared, {1, 1, 1, 2}), ".x\n");
  EXPECT_TRUE(data[1]) << "the memory itself was taken over";
}

TEST(Bias, IsAddedAndMinusInfinityMasks) {
  attn::Tensor<float, 4> table({1, 2, 1, 2});
  table(0, 1, 0, 0) = 1.5f;
  table(0, 1, 0, 1) = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(drawn(attn::Bias{table}, {3, 2, 1, 2}, {}, 2, 1), "x.\n");
  const attn::Bias bias{table};
  const BoundRule bound(bias, ScoreShape{3, 2, 4, 2}, std::nullopt);
  EXPECT_EQ(bound.score(2.0, {2, 1, 3, 0}), 3.5);
  EXPECT_EQ(bound.score(2.0, {2, 0, 3, 0}), 2.0);
  expect_cover(bias, {1, 2, 1, 2}, false);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(bias, {1, 2, 1, 5});
            }),
            "Bias: shape (1, 2, 1, 2) must be that of the scores (B, H, L, S) = (1, 2, 1, 5), or "
            "1, on each axis");
}

TEST(Softcap, SaturatesAtTheCap) {
  const attn::Softcap cap{2.5};
  EXPECT_NEAR(cap.score(1.0, Position{}), 2.5 * std::tanh(0.4), 1e-15);
  EXPECT_NEAR(cap.score(1e9, Position{}), 2.5, 1e-15);
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()})
    EXPECT_NE(sentence_of<attn::OptionError>([&] {
                drawn(attn::Softcap{bad}, {1, 1, 1, 1});
              }).find("must be positive and finite"),
              std::string::npos);
}

TEST(Alibi, FadesWithDistanceAtEachHeadsSlope) {
  const attn::Alibi rule{{0.5, 0.25}};
  EXPECT_EQ(rule.score(1.0, Position{0, 0, 5, 2}), 1 - 0.5 * 3);
  EXPECT_EQ(rule.score(1.0, Position{0, 1, 2, 6}), 1 - 0.25 * 4);
  const attn::Alibi right{{1.0}, Align::lower_right};
  EXPECT_EQ(BoundRule(right, ScoreShape{1, 1, 1, 4}, std::nullopt).score(0.0, {0, 0, 0, 1}), -2);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              drawn(rule, {1, 3, 2, 2});
            }),
            "Alibi: 2 slopes must be one for each of the H = 3 heads");
  EXPECT_THROW(drawn(rule, {1, 2, 2, 3}), attn::ShapeError);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), 1e39})
    EXPECT_THROW(drawn(attn::Alibi{{0.5, bad}}, {1, 2, 2, 2}), attn::OptionError) << bad;
}

TEST(Alibi, HasTheSlopesOfThePaper) {
  EXPECT_EQ(attn::Alibi::slopes(8), (std::vector<double>{0.5, 0.25, 0.125, 0.0625, 0.03125,
                                                         0.015625, 0.0078125, 0.00390625}));
  EXPECT_EQ(attn::Alibi::slopes(1), std::vector<double>{1.0 / 256});
  const std::vector<double> twelve = attn::Alibi::slopes(12);
  ASSERT_EQ(twelve.size(), 12u);
  EXPECT_NEAR(twelve[8], std::sqrt(0.5),
              1e-15);  // every other slope of 16 heads: 2^-0.5, 2^-1.5, …
  EXPECT_NEAR(twelve[11], std::pow(2.0, -3.5), 1e-15);
  EXPECT_THROW(attn::Alibi::slopes(0), attn::OptionError);
}

struct Doubled {
  double score(double s, Position) const { return 2 * s; }
};
struct Even {
  bool allows(Position at) const { return at.key % 2 == 0; }
};
struct Minus {
  Index by;
  template <class T>
  T score(T s, Position at) const {
    return s - T(double(by * at.query));
  }
};

TEST(Combine, AllowsWhatAllAllowAndChangesScoresFromLeftToRight) {
  EXPECT_EQ(drawn(attn::Causal{} & attn::Padding{{2}}, {1, 1, 3, 3}), "x..\nxx.\nxx.\n");
  EXPECT_EQ(drawn(attn::combine(Doubled{}, Even{}), {1, 1, 1, 4}), "x.x.\n");
  EXPECT_EQ(drawn(Even{} & attn::Causal{} & Doubled{}, {1, 1, 3, 3}), "x..\nx..\nx.x\n");
  EXPECT_EQ(attn::combine(Doubled{}, Minus{1}).score(10.0, Position{0, 0, 3, 0}), 17);
  EXPECT_EQ(attn::combine(Minus{1}, Doubled{}).score(10.0, Position{0, 0, 3, 0}), 14);
  static_assert(std::is_same_v<decltype(attn::combine(Doubled{}, attn::combine(Even{}, Minus{1}))),
                               attn::Combined<Doubled, Even, Minus>>,
                "combinations are opened");
  expect_cover(attn::Causal{} & attn::SlidingWindow{.left = 2, .right = 1}, {1, 1, 6, 6}, false);
}

TEST(Combine, EachRuleStandsWhereItsOwnAlignmentSays) {
  EXPECT_EQ(drawn(attn::Causal{Align::lower_right} &
                      attn::SlidingWindow{.left = 0, .align = Align::upper_left},
                  {1, 1, 2, 4}),
            "xxx.\n.xxx\n");
}

// A user's rule is told of queries in key positions.
struct Diagonal {
  bool allows(Position at) const { return at.key == at.query; }
};
TEST(OwnRule, IsToldOfQueriesInKeyPositions) {
  EXPECT_EQ(drawn(Diagonal{}, {1, 1, 2, 4}, Align::lower_right), "..x.\n...x\n");
  EXPECT_EQ(drawn(Diagonal{}, {1, 1, 2, 4}, Align::upper_left), "x...\n.x..\n");
  EXPECT_EQ(drawn(Diagonal{}, {1, 1, 2, 4}), "x...\n.x..\n");
  expect_cover(Diagonal{}, {1, 1, 3, 4}, false);
  static_assert(attn::Rule<Diagonal> && attn::Rule<Doubled> && attn::Rule<Minus> &&
                !attn::Rule<int>);
}

}  // namespace
