// Sequences of different lengths side by side: each gets, bitwise, what it gets alone.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/rules/learned.hpp>

#include <atomic>
#include <cstdlib>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::Packed, attn::Position, attn::Range, attn::Tensor;

/// Drawn sequences, some of them empty, and their operands side by side.
template <class T>
struct Drawn {
  attn::Random random;
  std::vector<Index> queries{0}, keys{0};
  bool same_lengths;
  Index H, G;
  Align align;
  Tensor<T, 4> q, k, v, d_output;

  explicit Drawn(std::uint64_t number) : random{number} {
    same_lengths = random.index(2) == 0;
    for (Index n = random.index(7); n > 0; --n) {
      queries.push_back(queries.back() + length());
      keys.push_back(same_lengths ? queries.back() : keys.back() + length());
    }
    G = 1 + random.index(2);
    H = G * (1 + random.index(3));
    align = random.index(2) == 0 ? Align::upper_left : Align::lower_right;
    const Index E = 1 + random.index(40), Ev = 1 + random.index(40);
    q = normal<T, 4>(random, {1, H, queries.back(), E});
    k = normal<T, 4>(random, {1, G, keys.back(), E});
    v = normal<T, 4>(random, {1, G, keys.back(), Ev});
    d_output = normal<T, 4>(random, {1, H, queries.back(), Ev});
  }
  Index count() const { return std::ssize(queries) - 1; }
  Range rows(const std::vector<Index>& offsets, Index n) const {
    return {offsets[std::size_t(n)], offsets[std::size_t(n) + 1]};
  }

 private:
  Index length() {
    const Index kind = random.index(6);
    return kind == 0 ? 0 : kind == 1 ? 1 : random.index(kind == 2 ? 1500 : 1 + random.index(150));
  }
};

template <class T, int N>
Tensor<T, N> part(const Tensor<T, N>& x, Range rows) {
  return x.slice(2, rows.begin, rows.end).copy();
}

template <class T>
struct Results {
  Tensor<T, 4> output, weights, d_query, d_key, d_value;
  Tensor<T, 3> log_sum_exp;

  template <class Attention, class R>
  Results(const Attention& attend, const Tensor<T, 4>& q, const Tensor<T, 4>& k,
          const Tensor<T, 4>& v, const Tensor<T, 4>& d_output, const R& rule)
      : d_query(q.shape()), d_key(k.shape()), d_value(v.shape()) {
    auto forward = attend.with_log_sum_exp(q, k, v, rule);
    attend.backward(attn::AttentionInputs<T>{q, k, v},
                    {forward.output, forward.log_sum_exp, d_output}, rule,
                    {d_query, d_key, d_value});
    auto weighted = attend.with_weights(q, k, v, rule);
    EXPECT_TRUE(same_bits(weighted.output, forward.output));
    EXPECT_TRUE(same_bits(attend(q, k, v, rule), forward.output));
    output = std::move(forward.output);
    weights = std::move(weighted.weights);
    log_sum_exp = std::move(forward.log_sum_exp);
  }
};

/// `alone(n)` is the rule of sequence n where that is computed alone.
template <class T, class Attention, class R, class Alone>
void expect_as_alone(const Drawn<T>& x, const Attention& attend, const R& rule,
                     const Alone& alone) {
  const Packed<R> packed(x.queries, x.keys, rule);
  const Results<T> all(attend, x.q, x.k, x.v, x.d_output, packed);
  Tensor<T, 4> weights(all.weights.shape());
  for (Index n = 0; n < x.count(); ++n) {
    const Range queries = x.rows(x.queries, n), keys = x.rows(x.keys, n);
    const Results<T> one(attend, part(x.q, queries), part(x.k, keys), part(x.v, keys),
                         part(x.d_output, queries), alone(n));
    EXPECT_TRUE(same_bits(part(all.output, queries), one.output)) << n;
    EXPECT_TRUE(same_bits(part(all.log_sum_exp, queries), one.log_sum_exp)) << n;
    EXPECT_TRUE(same_bits(part(all.d_query, queries), one.d_query)) << n;
    EXPECT_TRUE(same_bits(part(all.d_key, keys), one.d_key)) << n;
    EXPECT_TRUE(same_bits(part(all.d_value, keys), one.d_value)) << n;
    attn::copy(one.weights.view(),
               weights.slice(2, queries.begin, queries.end).slice(3, keys.begin, keys.end));
  }
  EXPECT_TRUE(same_bits(all.weights, weights));
}

/// A rule of a user's that reads every part of a position.
struct Places {
  Index first = 0;  // the number of the sequence that is 0
  bool allows(Position at) const { return (at.query + 2 * at.key + first + at.batch) % 5 != 0; }
  template <class T>
  T score(T s, Position at) const {
    return s - T(0.1 * double(first + at.batch + at.head)) * T(double(at.query - at.key));
  }
};

template <class T>
class PackedSequences : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(PackedSequences, Scalars);

template <class T>
void compare_under_every_rule(const Drawn<T>& x) {
  const attn::ScaledDotProductAttention attend{{.align = x.align}};
  const auto same = [&](const auto& rule) {
    expect_as_alone(x, attend, rule, [&](Index) { return rule; });
  };
  attn::Random random{std::uint64_t(x.q.size())};
  switch (random.index(6)) {
    case 0: return same(attn::NoMask{});
    case 1: return same(attn::Causal{});
    case 2:
      return same(attn::SlidingWindow{.left = 9, .right = 4, .first = 3} &
                  attn::Alibi{attn::Alibi::slopes(x.H), Align::upper_left});
    case 3: return expect_as_alone(x, attend, Places{}, [](Index n) { return Places{n}; });
    case 4: {
      std::vector<Index> lengths;
      for (Index n = 0; n < x.count(); ++n)
        lengths.push_back(random.index(x.rows(x.keys, n).size() + 1));
      return expect_as_alone(x, attend, attn::Padding{lengths} & attn::Softcap{3}, [&](Index n) {
        return attn::Padding{{lengths[std::size_t(n)]}} & attn::Softcap{3};
      });
    }
    default: return same(attn::Causal{Align::lower_right} & attn::Sink{0.5});
  }
}

TYPED_TEST(PackedSequences, GetBitwiseWhatTheyGetAlone) {
  const Index before = attn::num_threads();
  const char* const drawn = std::getenv("ATTN_CASES");  // fewer where they are slow
  const std::uint64_t cases = drawn && std::strtoull(drawn, nullptr, 10) < 1000 ? 6 : 45;
  for (std::uint64_t number = 0; number < cases && !this->HasFailure(); ++number) {
    attn::set_num_threads(Index(number % 3) + 1);
    compare_under_every_rule(Drawn<TypeParam>(number));
    if (this->HasFailure()) ADD_FAILURE() << "case " << number;
  }
  attn::set_num_threads(before);
}

TYPED_TEST(PackedSequences, AreTheReferenceImplementation) {
  using T = TypeParam;
  for (const std::uint64_t number : {3u, 8u, 9u}) {
    const Drawn<T> x(number);
    const attn::ScaledDotProductAttention<attn::Reference> attend{{.align = Align::lower_right}};
    expect_as_alone(x, attend, attn::Causal{}, [](Index) { return attn::Causal{}; });
  }
}

/// By plain loops over all rows, with a mask that is written out.
TYPED_TEST(PackedSequences, AreAMaskOfBlocks) {
  using T = TypeParam;
  attn::Random random{5};
  const auto q = normal<T, 4>(random, {1, 4, 31, 8}), k = normal<T, 4>(random, {1, 2, 31, 8}),
             v = normal<T, 4>(random, {1, 2, 31, 5});
  const std::vector<Index> sequence{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                    1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
  PlainAttention plain{.allows = [&](Index, Index, Index i, Index j) {
    return sequence[std::size_t(i)] == sequence[std::size_t(j)] && j <= i;
  }};
  plain.run(q, k, v, 1 / std::sqrt(8.0));
  const attn::ScaledDotProductAttention attend;
  const auto got = attend.with_weights(q, k, v, Packed{{0, 7, 20, 31}, attn::Causal{}});
  const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
  EXPECT_LT(largest_gap(got.output, plain.output), tolerance);
  EXPECT_LT(largest_gap(got.weights, plain.weights), tolerance);
}

/// The same sequences side by side and as a padded batch.
struct Padded : testing::Test {
  static constexpr Index H = 2, longest = 40;
  attn::Random random{9};
  const Packed<> packed{{0, 13, 13, 53, 70}};
  Tensor<double, 4> q = normal<double, 4>(random, {1, H, 70, 8}),
                    k = normal<double, 4>(random, {1, H, 70, 8}),
                    v = normal<double, 4>(random, {1, H, 70, 8});

  Tensor<double, 4> padded(const Tensor<double, 4>& x, double padding = 0) const {
    Tensor<double, 4> result({packed.count(), H, longest, 8});
    result.flat().setConstant(padding);
    for (Index n = 0; n < packed.count(); ++n)
      for (Index h = 0; h < H; ++h)
        result.matrix(n, h).topRows(packed.queries(n).size()) =
            x.matrix(0, h).middleRows(packed.queries(n).begin, packed.queries(n).size());
    return result;
  }
  Tensor<double, 4> side_by_side(const Tensor<double, 4>& x) const {
    Tensor<double, 4> result(q.shape());
    for (Index n = 0; n < packed.count(); ++n)
      for (Index h = 0; h < H; ++h)
        result.matrix(0, h).middleRows(packed.queries(n).begin, packed.queries(n).size()) =
            x.matrix(n, h).topRows(packed.queries(n).size());
    return result;
  }
};

TEST_F(Padded, ATableHasTheExtentsOfThePaddedBatch) {
  Tensor<bool, 4> mask({4, 1, longest, longest});
  for (Index i = 0; i < mask.size(); ++i) mask.data()[i] = random.index(3) > 0;
  const auto bias = normal<double, 3>(random, {H, longest, longest});
  const attn::ScaledDotProductAttention attend;
  const auto rule = attn::Keep{mask} & attn::Bias{bias};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto all =
      attend(padded(q, nan), padded(k, nan), padded(v, nan), rule & attn::Padding{{13, 0, 40, 17}});
  EXPECT_TRUE(same_bits(attend(q, k, v, packed & rule), side_by_side(all)));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attend(q, k, v, Packed{{0, 30, 70}} & attn::Keep{mask});
            }),
            "Keep: shape (4, 1, 40, 40) must be that of the scores (B, H, L, S) = (2, 2, 40, 40), "
            "or 1, on each axis");
}

TEST_F(Padded, DropoutIsThatOfThePaddedBatch) {
  const attn::ScaledDotProductAttention attend{{.dropout = 0.4}};
  const auto run = [&](const auto& a, const auto& b, const auto& c, const auto& rule) {
    attn::Random draws{3};
    attn::Tape<double> tape{draws};
    const auto x = tape.variable(a), y = tape.variable(b), z = tape.variable(c);
    const auto o = attend(x, y, z, rule);
    tape.backward(o, a.shape()[0] == 1 ? q : padded(q));
    return std::vector<Tensor<double, 4>>{o.value(), x.grad(), y.grad(), z.grad()};
  };
  const auto together = run(q, k, v, packed & attn::Causal{}),
             apart = run(padded(q), padded(k), padded(v),
                         attn::Causal{} & attn::Padding{{13, 0, 40, 17}});
  for (std::size_t n = 0; n < 4; ++n)
    EXPECT_TRUE(same_bits(together[n], side_by_side(apart[n]))) << n;
  EXPECT_GT(largest_gap(together[0], attend(q, k, v, packed & attn::Causal{})), 0.1) << "drops";
}

TEST_F(Padded, ALearnedRuleSumsItsGradientsOverTheSequences) {
  const auto table = normal<double, 3>(random, {H, longest, longest});
  const auto logits = normal<double, 1>(random, {H}), slopes = normal<double, 1>(random, {H});
  const attn::ScaledDotProductAttention attend;
  const auto run = [&](const auto& a, const auto& b, const auto& c, const auto& outer) {
    attn::Tape<double> tape;
    const auto t = tape.variable(table);
    const auto z = tape.variable(logits), s = tape.variable(slopes);
    const auto rule = attn::combine(attn::LearnedBias{t}, attn::LearnedSink{z},
                                    attn::LearnedAlibi{s}, attn::Causal{});
    const auto o = attend(tape.constant(a), tape.constant(b), c, outer & rule);
    tape.backward(o, a.shape()[0] == 1 ? q : padded(q));
    return std::tuple(t.grad(), z.grad(), s.grad());
  };
  const auto together = run(q, k, v, packed);
  const auto apart = run(padded(q), padded(k), padded(v), attn::Padding{{13, 0, 40, 17}});
  EXPECT_LT(largest_gap(std::get<0>(together), std::get<0>(apart)), 1e-14);
  EXPECT_LT(largest_gap(std::get<1>(together), std::get<1>(apart)), 1e-13);
  EXPECT_LT(largest_gap(std::get<2>(together), std::get<2>(apart)), 1e-12);
}

/// Counts the scores about which it is asked.
struct Counted {
  std::shared_ptr<std::atomic<Index>> asked = std::make_shared<std::atomic<Index>>(0);
  bool allows(Position) const {
    ++*asked;
    return true;
  }
};

TEST_F(Padded, NoScoreBetweenSequencesIsAskedFor) {
  const attn::ScaledDotProductAttention<attn::Reference> attend;
  const Counted rule;
  const auto o = attend.with_log_sum_exp(q, k, v, packed & rule);
  EXPECT_EQ(*rule.asked, H * (13 * 13 + 40 * 40 + 17 * 17));
}

TEST_F(Padded, KeysMayBeStoredInFewerBits) {
  const attn::ScaledDotProductAttention attend;
  const Tensor<float, 4> x = attn::cast<float>(q);
  const auto k16 = attn::cast<attn::bfloat16>(k);
  const auto k8 = attn::quantize<std::int8_t>(attn::cast<float>(k));
  const auto v16 = attn::cast<attn::float16>(v);
  const auto rule = packed & attn::Causal{};
  EXPECT_TRUE(same_bits(attend(x, k16, v16, rule),
                        attend(x, attn::cast<float>(k16), attn::cast<float>(v16), rule)));
  EXPECT_TRUE(same_bits(attend(x, k8, v16, rule),
                        attend(x, attn::dequantize(k8), attn::cast<float>(v16), rule)));
}

TEST_F(Padded, OperandsMayLackTheBatch) {
  const attn::ScaledDotProductAttention attend;
  const Tensor<double, 3> one = attend(q[0], k[0], v[0], packed);
  EXPECT_EQ(one.shape(), (attn::Shape<3>{H, 70, 8}));
  EXPECT_TRUE(same_bits(one, attend(q, k, v, packed).reshape({H, 70, 8})));
}

TEST_F(Padded, WhatDoesNotFitIsASentence) {
  const attn::ScaledDotProductAttention attend;
  const auto sentence = [&](const auto& rule) {
    return sentence_of<attn::Error>([&] { attend(q, k, v, rule); });
  };
  EXPECT_EQ(sentence_of<attn::OptionError>([] {
              Packed{{1, 3}};
            }),
            "Packed: the offsets must begin with 0, not 1");
  EXPECT_EQ(sentence_of<attn::OptionError>([] { Packed{std::vector<Index>{}}; }),
            "Packed: the offsets must begin with 0, not be empty");
  EXPECT_EQ(sentence_of<attn::OptionError>([] {
              Packed{{0, 7, 5}};
            }),
            "Packed: offset 5 must be at least 7, the one before it");
  EXPECT_EQ(sentence_of<attn::OptionError>([] {
              Packed{{0, 7}, {0, 3, 7}};
            }),
            "Packed: 2 offsets of queries and 3 of keys must be equally many");
  EXPECT_EQ(sentence(Packed{{0, 60}}),
            "Packed: the last offset of the queries, 60, must be their length L = 70");
  EXPECT_EQ(sentence(Packed{{0, 70}, {0, 71}}),
            "Packed: the last offset of the keys, 71, must be their length S = 70");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attend(padded(q), padded(k), padded(v), Packed{{0, 40}});
            }),
            "Packed: the batch B = 4 must be 1, in which the sequences lie side by side");
  EXPECT_EQ(
      sentence_of<attn::OptionError>([&] { attend(q, k, v, packed, attn::Offsets{.query = 3}); }),
      "Packed: sequences of their own offsets must not be placed by Offsets too");
  EXPECT_EQ(sentence(Packed{{0, 30, 70}, {0, 40, 70}, attn::Causal{}}),
            "ScaledDotProductAttention: a rule about distances needs its alignment named where the "
            "query length L = 30 is not the key length S = 40: "
            "Align::lower_right (the last query stands at the last key) or Align::upper_left");
}

}  // namespace
