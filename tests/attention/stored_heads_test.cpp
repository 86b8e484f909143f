// Keys and values in 16 and 8 bits, against the numbers that they stand for.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/rules/alibi.hpp>

#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

struct Heads {
  Tensor<float, 4> q, k, v;
};
/// L queries of 6 heads and S keys of 2.
Heads heads(Index L, Index S, Index E, Index Ev) {
  attn::Random random{static_cast<std::uint64_t>(100 * L + S)};
  return {normal<float, 4>(random, {2, 6, L, E}), normal<float, 4>(random, {2, 2, S, E}),
          normal<float, 4>(random, {2, 2, S, Ev})};
}

template <class Kernel, class Stored, class Rule>
void gives_the_same_bits(const Tensor<float, 4>& q, const Stored& k, const Stored& v,
                         const std::pair<Tensor<float, 4>, Tensor<float, 4>>& converted,
                         const Rule& rule) {
  const attn::ScaledDotProductAttention<Kernel> attend({.align = attn::Align::lower_right});
  const auto& [K, V] = converted;
  const auto got = attend.with_weights(q, k, v, rule), wanted = attend.with_weights(q, K, V, rule);
  EXPECT_TRUE(same_bits(got.output, wanted.output));
  EXPECT_TRUE(same_bits(got.weights, wanted.weights));
  EXPECT_TRUE(same_bits(attend.with_log_sum_exp(q, k, v, rule).log_sum_exp,
                        attend.with_log_sum_exp(q, K, V, rule).log_sum_exp));
  EXPECT_TRUE(same_bits(attend(q, k, v, rule), wanted.output));
  EXPECT_TRUE(same_bits(attend(q, k, V, rule), wanted.output)) << "values as they are";
  EXPECT_TRUE(same_bits(attend(q, K, v, rule), wanted.output)) << "keys as they are";
}

template <class Kernel>
void every_storage(const Heads& x) {
  const auto with_rules = [&](const auto& k, const auto& v, const Tensor<float, 4>& K,
                              const Tensor<float, 4>& V) {
    gives_the_same_bits<Kernel>(x.q, k, v, {K, V}, attn::NoMask{});
    gives_the_same_bits<Kernel>(x.q, k, v, {K, V}, attn::Causal{} & attn::Softcap{5});
    gives_the_same_bits<Kernel>(
        x.q, k, v, {K, V}, attn::Padding{{150, 0}} & attn::Alibi(std::vector<double>(6, 0.03)));
  };
  const auto of_type = [&]<class Stored>(Stored) {
    const auto k = attn::cast<Stored>(x.k), v = attn::cast<Stored>(x.v);
    with_rules(k, v, attn::cast<float>(k), attn::cast<float>(v));
  };
  of_type(attn::bfloat16{});
  of_type(attn::float16{});
  const auto k = attn::quantize<std::int8_t>(x.k), v = attn::quantize<std::int8_t>(x.v);
  with_rules(k, v, attn::dequantize(k), attn::dequantize(v));
}

TEST(StoredHeads, GiveBitwiseWhatTheirNumbersGive) {
  for (const Index L : {1, 3, 40}) {
    every_storage<attn::Tiled>(heads(L, 210, 40, 24));
    every_storage<attn::Reference>(heads(L, 210, 40, 24));
  }
  every_storage<attn::Tiled>(heads(1, 400, 19, 13));
}

TEST(StoredHeads, AreEquationOneOfTheirNumbers) {
  const Heads x = heads(5, 300, 32, 16);
  const auto k = attn::quantize<std::int8_t>(x.k), v = attn::quantize<std::int8_t>(x.v);
  PlainAttention plain;
  plain.run(x.q, attn::dequantize(k), attn::dequantize(v), 1 / std::sqrt(32.0));
  EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(x.q, k, v), plain.output), 2e-6);
}

TEST(StoredHeads, MayBeViewsOfFewerAxes) {
  const Heads x = heads(4, 50, 16, 8);
  const auto k = attn::cast<attn::bfloat16>(x.k), v = attn::cast<attn::bfloat16>(x.v);
  const attn::ScaledDotProductAttention attend;
  const Tensor<float, 4> all = attend(x.q, k.slice(2, 10, 30), v.slice(2, 10, 30));
  const Tensor<float, 3> one = attend(x.q[1], k[1].slice(1, 10, 30), v[1].slice(1, 10, 30));
  EXPECT_TRUE(same_bits(all[1].copy(), one));
  const Tensor<float, 2> head =
      attend(x.q[1][0], k[1][0].slice(0, 10, 30), v[1][0].slice(0, 10, 30));
  EXPECT_TRUE(same_bits(all[1][0].copy(), head));
}

TEST(StoredHeads, OfAQueryInDouble) {
  attn::Random random{3};
  const auto q = normal<double, 4>(random, {1, 4, 3, 10}),
             x = normal<double, 4>(random, {1, 2, 200, 10});
  const auto k = attn::cast<attn::float16>(x);
  const auto k8 = attn::quantize<std::int8_t>(x);
  const attn::ScaledDotProductAttention attend;
  EXPECT_TRUE(same_bits(attend(q, k, k), attend(q, attn::cast<double>(k), attn::cast<double>(k))));
  EXPECT_TRUE(same_bits(attend(q, k8, k8), attend(q, attn::dequantize(k8), attn::dequantize(k8))));
}

/// A masked key or value is not computed with, whatever it holds.
TEST(StoredHeads, MaskedOnesMayHoldAnything) {
  Heads x = heads(1, 250, 16, 16);
  auto k = attn::cast<attn::float16>(x.k), v = attn::cast<attn::float16>(x.v);
  const attn::Padding rule{{100, 100}};
  const attn::ScaledDotProductAttention attend;
  const Tensor<float, 4> before = attend(x.q, k, v, rule);
  for (Index j = 100; j < 250; ++j)
    for (Index e = 0; e < 16; ++e) {
      k(1, 1, j, e) = attn::float16(std::numeric_limits<float>::quiet_NaN());
      v(1, 1, j, e) = attn::float16(std::numeric_limits<float>::infinity());
    }
  EXPECT_TRUE(same_bits(attend(x.q, k, v, rule), before));
}

TEST(StoredHeads, ThatDoNotFitAreASentence) {
  const Heads x = heads(2, 20, 8, 8);
  const auto k = attn::cast<attn::bfloat16>(x.k), v = attn::cast<attn::bfloat16>(x.v);
  try {
    attn::ScaledDotProductAttention{}(x.q, k, v.slice(2, 0, 19));
    FAIL();
  } catch (const attn::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "ScaledDotProductAttention: value (2, 2, 19, 8) must have key's length S = 20");
  }
}

}  // namespace
