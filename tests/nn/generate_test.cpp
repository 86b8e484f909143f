#include <gtest/gtest.h>
#include <attn/nn/generate.hpp>

#include <cmath>
#include <map>

namespace {

using attn::Index;

attn::Tensor<double, 2> logits(std::initializer_list<std::vector<double>> rows) {
  attn::Tensor<double, 2> result({Index(rows.size()), Index(rows.begin()->size())});
  Index r = 0;
  for (const auto& row : rows) std::copy(row.begin(), row.end(), result[r++].data());
  return result;
}

/// A model of one sentence that is a table: the probabilities of the tokens 0 (end), 1 and 2 after
/// each prefix.
struct Table {
  std::map<std::vector<Index>, std::vector<double>> probabilities;
  Index beams;
  std::vector<std::vector<Index>> prefixes = std::vector<std::vector<Index>>(std::size_t(beams));
  Index calls = 0;

  attn::Tensor<double, 2> operator()(const std::vector<Index>& tokens,
                                     const std::vector<Index>& parents) {
    std::vector<std::vector<Index>> next;
    for (std::size_t h = 0; h < tokens.size(); ++h) {
      next.push_back(prefixes[std::size_t(parents[h])]);
      if (calls > 0) next.back().push_back(tokens[h]);
      else EXPECT_EQ(tokens[h], 9) << "the start token";
    }
    prefixes = next;
    ++calls;
    attn::Tensor<double, 2> result({Index(tokens.size()), 3});
    for (std::size_t h = 0; h < tokens.size(); ++h) {
      const auto at = probabilities.find(prefixes[h]);
      for (Index v = 0; v < 3; ++v)
        result(Index(h), v) =
            std::log(at != probabilities.end() ? at->second[std::size_t(v)] : 1.0 / 3);
    }
    return result;
  }
};

std::vector<Index> written(Table table, const attn::GenerateOptions& options) {
  const auto result = attn::generate(1, options, table);
  return {result.data(), result.data() + result.size()};
}

// The greedy path begins with the likeliest token, 1, and ends in a poor sentence; the best one
// begins with 2.
const std::map<std::vector<Index>, std::vector<double>> garden{{{}, {0.1, 0.5, 0.4}},
                                                               {{1}, {0.3, 0.4, 0.3}},
                                                               {{1, 1}, {0.4, 0.3, 0.3}},
                                                               {{2}, {0.9, 0.05, 0.05}}};

/// Logits of hypotheses that are all alike, in rows that own their elements.
struct OwningRows {
  std::vector<float> row;
  std::vector<float> operator[](Index) const { return row; }
};

TEST(GenerateSearch, TakesLogitsInRowsOfAnyKind) {
  const std::vector<float> row{0.5f, 3, 1, 2};
  const attn::GenerateOptions options{.start = 9, .end = 0, .max_length = 3, .num_beams = 2};
  const auto expected = attn::generate(2, options, [&](const auto& tokens, const auto&) {
    attn::Tensor<float, 2> logits({std::ssize(tokens), 4});
    for (Index i = 0; i < std::ssize(tokens); ++i)
      std::copy(row.begin(), row.end(), logits[i].data());
    return logits;
  });
  EXPECT_EQ(expected(0, 0), 1);
  const auto owning = [&](const auto&, const auto&) { return OwningRows{row}; };
  EXPECT_EQ(attn::generate(2, options, owning), expected);
}

TEST(GenerateSearch, WithOneBeamIsGreedy) {
  EXPECT_EQ(written({garden, 1}, {.start = 9, .end = 0, .max_length = 5, .pad = -1}),
            (std::vector<Index>{1, 1, 0, -1, -1}));
}

TEST(GenerateSearch, WithMoreBeamsFindsWhatGreedMisses) {
  EXPECT_EQ(
      written({garden, 2}, {.start = 9, .end = 0, .max_length = 5, .pad = -1, .num_beams = 2}),
      (std::vector<Index>{2, 0, -1, -1, -1}));
}

// P(0) = 0.3 against P(1 0) = 0.6 · 0.45 = 0.27: longer sentences win by the penalty alone. lp(1) =
// 1, lp(2) = (7/6)^α.
TEST(GenerateSearch, DividesByTheLengthPenaltyOfThePaper) {
  const std::map<std::vector<Index>, std::vector<double>> table{{{}, {0.3, 0.6, 0.1}},
                                                                {{1}, {0.45, 0.3, 0.25}}};
  const auto first = [&](double alpha) {
    return written({table, 2}, {.start = 9,
                                .end = 0,
                                .max_length = 3,
                                .pad = -1,
                                .num_beams = 2,
                                .length_penalty = alpha})
        .front();
  };
  const double even = std::log(std::log(0.27) / std::log(0.3)) /
                      std::log(7.0 / 6);  // where both score the same: 0.54…
  EXPECT_EQ(first(0), 0);
  EXPECT_EQ(first(even - 0.01), 0);
  EXPECT_EQ(first(even + 0.01), 1);
}

TEST(GenerateSearch, StopsEachSentenceAtItsEndAndAllWhenAllHaveEnded) {
  Index calls = 0;
  const auto result = attn::generate(2, {.start = 9, .end = 0, .max_length = 6, .pad = 7},
                                     [&](const std::vector<Index>&, const std::vector<Index>&) {
                                       ++calls;
                                       return calls == 1  ? logits({{5, 1, 1}, {0, 3, 1}})
                                              : calls < 4 ? logits({{1, 9, 1}, {0, 1, 3}})
                                                          : logits({{0, 9, 0}, {4, 1, 1}});
                                     });
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(std::vector<Index>(result.data(), result.data() + 12),
            (std::vector<Index>{0, 7, 7, 7, 7, 7, 1, 2, 2, 0, 7, 7}));
}

TEST(GenerateSearch, WithoutAnEndIsCutAtTheMaximum) {
  EXPECT_EQ(
      written({{{{}, {0, 0.4, 0.6}}}, 2}, {.start = 9, .end = 0, .max_length = 1, .num_beams = 2}),
      (std::vector<Index>{2}));
}

TEST(GenerateSearch, TakesTheFirstOfEqualsAndNoNaN) {
  const double nan = std::nan("");
  const auto result = attn::generate(1, {.start = 9, .end = 0, .max_length = 2, .num_beams = 1},
                                     [&](const std::vector<Index>&, const std::vector<Index>&) {
                                       return logits({{nan, 2, 2}});
                                     });
  EXPECT_EQ(std::vector<Index>(result.data(), result.data() + 2), (std::vector<Index>{1, 1}));
}

TEST(GenerateSearch, LogProbabilitiesSumToOne) {
  const std::vector<float> x{1000, 999, -1000, -std::numeric_limits<float>::infinity()};
  const auto p = attn::log_probabilities<float>(x);
  EXPECT_NEAR(p[0], -std::log1p(std::exp(-1.0)), 1e-15);
  EXPECT_NEAR(p[1], p[0] - 1, 1e-15);
  EXPECT_EQ(p[3], -std::numeric_limits<double>::infinity());
}

}  // namespace
