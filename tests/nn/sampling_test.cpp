#include <gtest/gtest.h>
#include <attn/nn/sampling.hpp>

#include <map>

namespace {

using attn::Index, attn::SamplingOptions, std::vector;

/// The probabilities after all filters, one after the other as they are defined.
vector<double> plain(vector<double> logits, const vector<Index>& tokens, const SamplingOptions& o) {
  const std::size_t V = logits.size();
  for (std::size_t t = 0; t < V; ++t)
    if (std::count(tokens.begin(), tokens.end(), Index(t)) > 0)
      logits[t] =
          logits[t] > 0 ? logits[t] / o.repetition_penalty : logits[t] * o.repetition_penalty;
  double most = *std::max_element(logits.begin(), logits.end()), sum = 0;
  vector<double> p(V);
  for (std::size_t t = 0; t < V; ++t) p[t] = std::exp((logits[t] - most) / o.temperature);
  const auto normalize = [&] {
    sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
  };
  vector<std::size_t> order(V);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](auto a, auto b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
  if (o.top_k > 0)
    for (std::size_t i = std::size_t(o.top_k); i < V; ++i) p[order[i]] = 0;
  normalize();
  for (double before = 0; const std::size_t t : order) {
    const double mine = p[t];
    if (before >= o.top_p && before > 0) p[t] = 0;
    before += mine;
  }
  normalize();
  const double limit = o.min_p * *std::max_element(p.begin(), p.end());
  for (double& x : p) x = x < limit ? 0 : x;
  normalize();
  return p;
}

/// How often each token is drawn with many seeds.
std::map<Index, double> frequencies(const vector<float>& logits, const vector<Index>& tokens,
                                    SamplingOptions o, int draws) {
  std::map<Index, double> count;
  for (int i = 0; i < draws; ++i) {
    o.seed = std::uint64_t(i);
    attn::detail::TokenSampler<float> sampler(o);
    count[sampler.next(std::span<const Index>(tokens), std::span<const float>(logits))] +=
        1.0 / draws;
  }
  return count;
}

TEST(Sampling, DrawsWithTheProbabilitiesOfItsDefinition) {
  const vector<float> logits{1.5f, -0.5f, 2.0f, 0.0f, 1.0f, -3.0f, 1.9f, 0.5f};
  const vector<Index> tokens{2, 1, 2, 4};
  const vector<SamplingOptions> all{
      {.max_new_tokens = 1, .temperature = 1},
      {.max_new_tokens = 1, .temperature = 0.5, .top_k = 4},
      {.max_new_tokens = 1, .temperature = 1, .top_p = 0.7},
      {.max_new_tokens = 1, .temperature = 1, .top_p = 0.0},
      {.max_new_tokens = 1, .temperature = 1, .min_p = 0.3},
      {.max_new_tokens = 1, .temperature = 1, .min_p = 1.0},
      {.max_new_tokens = 1, .temperature = 2, .repetition_penalty = 1.8},
      {.max_new_tokens = 1, .temperature = 3, .top_k = 100},
      {.max_new_tokens = 1,
       .temperature = 1.2,
       .top_k = 6,
       .top_p = 0.9,
       .min_p = 0.2,
       .repetition_penalty = 1.3}};
  for (const SamplingOptions& o : all) {
    const vector<double> expected = plain({logits.begin(), logits.end()}, tokens, o);
    auto drawn = frequencies(logits, tokens, o, 20000);
    for (std::size_t t = 0; t < logits.size(); ++t) {
      EXPECT_NEAR(drawn[Index(t)], expected[t], 0.015) << "token " << t;
      if (expected[t] == 0) {
        EXPECT_EQ(drawn[Index(t)], 0) << "token " << t;
      }
    }
  }
}

TEST(Sampling, AtTemperatureZeroIsTheFirstOfTheLargest) {
  const SamplingOptions o{.max_new_tokens = 1};
  attn::detail::TokenSampler<double> sampler(o);
  const vector<Index> tokens{0};
  const auto next = [&](const vector<double>& logits) {
    return sampler.next(std::span<const Index>(tokens), std::span<const double>(logits));
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(next({1, 3, 2, 3}), 1);
  EXPECT_EQ(next({nan, -5, nan}), 1);
  EXPECT_EQ(next({1, inf, 5}), 1);
  EXPECT_EQ(next({-inf, -inf, -1e308}), 2);
}

TEST(Sampling, ExcludedTokensAreNeverDrawn) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const vector<double> logits{-inf, 0, -inf, std::numeric_limits<double>::quiet_NaN(), 1};
  const vector<Index> tokens{0};
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const SamplingOptions o{.max_new_tokens = 1, .temperature = 100, .seed = seed};
    attn::detail::TokenSampler<double> sampler(o);
    const Index token =
        sampler.next(std::span<const Index>(tokens), std::span<const double>(logits));
    EXPECT_TRUE(token == 1 || token == 4) << token;
  }
}

}  // namespace
