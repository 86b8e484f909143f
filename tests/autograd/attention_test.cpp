#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train/gradient_check.hpp>

#include "support/attention_cases.hpp"

// Attention under every rule against finite differences in double.
namespace {

using attn::Index, attn::Tensor;

constexpr double bound = 1e-7;

// What the chain of a rule's derivatives is, whoever wrote the rule.
struct EveryFunction {
  template <class T>
  T score(T s, const auto& at) const {
    using std::abs, std::exp, std::max, std::min, std::tanh;
    const T fine = max(min(s, T(1.7)), T(-1.6)) + 2 * abs(s - T(0.1)) / (3 + exp(-s));
    return fine - T(0.01) * T(at.query - at.key) * tanh(-fine) + 1 * s;
  }
};
struct PlainFunctions {
  template <class T>
  T score(T s, attn::Position) const {
    using std::cos, std::log, std::pow, std::sin, std::sqrt;
    return s > T(0.2) ? log(s * s + 1) + sqrt(s + 2) : sin(s) * cos(s / 2) + pow(s * s + 1, 0.75);
  }
};

TEST(Gradients, OfAttentionUnderEveryRule) {
  attn::Random random{6};
  const Index B = 2, H = 4, G = 2, L = 21, S = 34;
  const auto q = normal<double, 4>(random, {B, H, L, 7}),
             k = normal<double, 4>(random, {B, G, S, 7}),
             v = normal<double, 4>(random, {B, G, S, 5});
  Tensor<bool, 3> mask({H, L, S});
  for (Index i = 0; i < mask.size(); ++i)
    mask.data()[i] = random.index(3) > 0 && i / S % L != 4;  // query 4 attends to nothing
  const auto under = [&](const auto& rule) {
    const auto with = [&](const auto& attention) {
      return attn::gradient_check([&](const auto& a, const auto& b,
                                      const auto& c) { return attention(a, b, c, rule); },
                                  {}, {.samples = 25}, q, k, v)
          .relative();
    };
    const attn::AttentionOptions options{.scale = 0.8, .align = attn::Align::lower_right};
    EXPECT_LT(with(attn::ScaledDotProductAttention{options}), bound);
    EXPECT_LT(with(attn::ScaledDotProductAttention{options, attn::Reference{}}), bound);
  };
  under(attn::NoMask{});
  under(attn::Causal{});
  under(attn::Padding{{34, 3}});
  under(attn::Keep{mask});
  under(attn::Bias{normal<double, 2>(random, {L, S})});
  under(attn::SlidingWindow{.left = 4, .right = 2});
  under(attn::Softcap{0.7});
  under(attn::Alibi{attn::Alibi::slopes(H)} & attn::Softcap{3} & attn::Causal{} & attn::Keep{mask});
  under(attn::combine(attention_cases::Recency{0.25}, attn::Padding{{20, 34}}));
  under(EveryFunction{});
  under(PlainFunctions{});
}

TEST(Gradients, OfAttentionWithDroppedWeights) {
  attn::Random random{7};
  const auto q = normal<double, 3>(random, {2, 21, 7}), k = normal<double, 3>(random, {2, 34, 7}),
             v = normal<double, 3>(random, {2, 34, 5});
  const auto with = [&](const auto& attention) {
    return attn::gradient_check(
               [&](const auto& a, const auto& b, const auto& c) {
                 return attention(a, b, c,
                                  attn::Softcap{2} & attn::Causal{attn::Align::lower_right});
               },
               {}, {.dropout = attn::Random{3}}, q, k, v)
        .relative();
  };
  EXPECT_LT(with(attn::ScaledDotProductAttention{{.dropout = 0.4}}), bound);
  EXPECT_LT(with(attn::ScaledDotProductAttention{{.dropout = 0.4}, attn::Reference{}}), bound);
}

TEST(Gradients, OfWhatARuleLearns) {
  attn::Random random{8};
  const Index B = 2, H = 3, L = 9, S = 12;
  const auto q = normal<double, 4>(random, {B, H, L, 5}),
             k = normal<double, 4>(random, {B, H, S, 5}),
             v = normal<double, 4>(random, {B, H, S, 4});
  const attn::ScaledDotProductAttention attend{{.align = attn::Align::lower_right, .dropout = 0.2}};
  const auto f = [&](const auto& table, const auto& slopes, const auto& a) {
    return attend(a, k, v,
                  attn::combine(attn::LearnedBias{table}, attn::Softcap{2},
                                attn::LearnedAlibi{slopes}, attn::Causal{}));
  };
  for (const attn::Shape<3>& shape :
       {attn::Shape<3>{H, L, S}, {1, L, S}, {H, 1, S}, {H, L, 1}, {1, 1, 1}})
    for (const bool dropped : {false, true})
      EXPECT_LT(attn::gradient_check(
                    f, {}, {.dropout = dropped ? std::optional(attn::Random{5}) : std::nullopt},
                    normal<double, 3>(random, shape), normal<double, 1>(random, {H}), q)
                    .relative(),
                bound);
}

}  // namespace
