// Layers on sequences that lie side by side: bitwise what each sequence gives alone.
#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::Packed, attn::Range, attn::Tensor;

const std::vector<Index> offsets{0, 7, 20, 20, 31};

template <class T>
Tensor<T, 3> rows(const Tensor<T, 3>& x, Range some) {
  return x.slice(1, some.begin, some.end).copy();
}

TEST(Packed, MultiHeadAttentionCountsPositionsWithinEachSequence) {
  attn::Random random{3};
  for (const Align align : {Align::upper_left, Align::lower_right}) {
    const attn::MultiHeadAttention<float> layer({.embed_dim = 24,
                                                 .num_heads = 3,
                                                 .num_kv_heads = 1,
                                                 .separate_projections = true,
                                                 .rotary = attn::RotaryOptions{}},
                                                random,
                                                attn::ScaledDotProductAttention{{.align = align}});
    const auto q = normal<float, 3>(random, {1, 31, 24}), k = normal<float, 3>(random, {1, 44, 24});
    const Packed packed{offsets, {0, 9, 30, 31, 44}, attn::Causal{}};
    const auto all = layer(q, k, k, packed);
    const auto weighted = layer.with_weights(q, k, k, packed);
    EXPECT_TRUE(same_bits(weighted.output, all));
    for (Index n = 0; n < packed.count(); ++n) {
      const Tensor<float, 3> keys = rows(k, packed.keys(n));
      const auto alone = layer(rows(q, packed.queries(n)), keys, keys, attn::Causal{});
      EXPECT_TRUE(same_bits(rows(all, packed.queries(n)), alone)) << n;
    }
  }
}

TEST(Packed, AnEncoderGivesEachSequenceWhatItGivesItAlone) {
  attn::Random random{4};
  attn::TransformerEncoder<double> encoder(
      {.layer = {.d_model = 16, .nhead = 2, .dim_feedforward = 24, .dropout = 0}, .num_layers = 2},
      random);
  const auto x = normal<double, 3>(random, {1, 31, 16}), d = normal<double, 3>(random, {1, 31, 16});
  const Packed<> packed{offsets};
  const auto all = encoder(x, packed & attn::Softcap{5});
  Tensor<double, 3> into(x.shape());
  encoder.into(into, x, packed & attn::Softcap{5});
  EXPECT_TRUE(same_bits(into, all));

  const auto gradients = [&](const auto& input, const auto& rule, const auto& d_output) {
    attn::Tape<double> tape;
    const auto variable = tape.variable(input);
    const auto y = encoder(variable, rule);
    tape.backward(y, d_output);
    return std::pair(y.value(), variable.grad());
  };
  const auto [y, dx] = gradients(x, packed & attn::Softcap{5}, d);
  EXPECT_TRUE(same_bits(y, all));
  for (Index n = 0; n < packed.count(); ++n) {
    const Range some = packed.queries(n);
    const auto [alone, d_alone] = gradients(rows(x, some), attn::Softcap{5}, rows(d, some));
    EXPECT_TRUE(same_bits(rows(all, some), alone)) << n;
    EXPECT_TRUE(same_bits(rows(dx, some), d_alone)) << n;
  }
}

TEST(Packed, AnEncoderDropsWhatItDropsInThePaddedBatch) {
  attn::Random random{4};
  attn::TransformerEncoder<double> encoder(
      {.layer = {.d_model = 18, .nhead = 2, .dim_feedforward = 25, .dropout = 0.3},
       .num_layers = 2},
      random);
  const Packed<> packed{offsets};
  const auto x = normal<double, 3>(random, {1, 31, 18}), d = normal<double, 3>(random, {1, 31, 18});
  const auto padded = [&](const Tensor<double, 3>& rows_side_by_side) {
    Tensor<double, 3> batch({packed.count(), packed.longest(), 18});
    for (Index n = 0; n < packed.count(); ++n)
      for (Index i = 0; i < packed.queries(n).size(); ++i)
        for (Index e = 0; e < 18; ++e)
          batch(n, i, e) = rows_side_by_side(0, packed.queries(n).begin + i, e);
    return batch;
  };
  const auto train = [&](const auto& input, const auto& rule, const auto& d_output) {
    attn::Random draws{5};
    attn::Tape<double> tape(draws);
    const auto variable = tape.variable(input);
    const auto y = encoder(variable, rule);
    tape.backward(y, d_output);
    return std::pair(y.value(), variable.grad());
  };
  const auto [y, dx] = train(x, packed, d);
  EXPECT_FALSE(same_bits(y, encoder(x, packed))) << "dropout does not act";
  const auto [y_padded, dx_padded] = train(padded(x), attn::Padding{{7, 13, 0, 11}}, padded(d));
  for (Index n = 0; n < packed.count(); ++n) {
    const Range some = packed.queries(n);
    const auto of_batch = [&](const Tensor<double, 3>& all) {
      return rows(all.slice(0, n, n + 1).copy(), {0, some.size()});
    };
    EXPECT_TRUE(same_bits(rows(y, some), of_batch(y_padded))) << n;
    EXPECT_TRUE(same_bits(rows(dx, some), of_batch(dx_padded))) << n;
  }
}

TEST(Packed, ADecoderAttendsToTheMemoryOfEachSequence) {
  attn::Random random{8};
  const attn::TransformerDecoder<double> decoder(
      {.layer = {.d_model = 16, .nhead = 2, .dim_feedforward = 24, .dropout = 0}, .num_layers = 2},
      random);
  const auto target = normal<double, 3>(random, {1, 31, 16}),
             memory = normal<double, 3>(random, {1, 44, 16});
  const Packed<> both{offsets, {0, 9, 30, 31, 44}};
  const auto all = decoder(target, memory, Packed{offsets, attn::Causal{}}, both);
  for (Index n = 0; n < both.count(); ++n) {
    const Range some = both.queries(n);
    const auto alone =
        decoder(rows(target, some), rows(memory, both.keys(n)), attn::Causal{}, attn::NoMask{});
    EXPECT_TRUE(same_bits(rows(all, some), alone)) << n;
  }
}

attn::LanguageModelOptions small(bool gpt2, std::optional<Index> window) {
  if (gpt2)
    return attn::gpt2({.vocabulary = 29,
                       .d_model = 16,
                       .nhead = 2,
                       .dim_feedforward = 20,
                       .num_layers = 2,
                       .max_length = 13});
  auto options = attn::llama({.vocabulary = 29,
                              .d_model = 16,
                              .nhead = 4,
                              .num_kv_heads = 2,
                              .dim_feedforward = 20,
                              .num_layers = 2,
                              .max_length = 13});
  options.sliding_window = window;
  return options;
}

TEST(Packed, ALanguageModelTakesTextsSideBySide) {
  attn::Random random{5};
  Tensor<Index, 2> tokens({1, 31});
  for (Index i = 0; i < 31; ++i) tokens(0, i) = random.index(29);
  const Packed<> texts{offsets};
  for (const auto& options :
       {small(true, std::nullopt), small(false, std::nullopt), small(false, 4)}) {
    attn::LanguageModel<float> model(options, random);
    const Tensor<float, 3> all = model(tokens, texts);
    attn::Tape<float> tape;
    const auto recorded = model(tape, tokens, texts);
    EXPECT_TRUE(same_bits(recorded.value(), all));
    tape.backward(mean(recorded * recorded));
    std::vector<float> together;
    for (const auto& p : model.parameters()) {
      const auto gradient = p.grad.values();
      together.insert(together.end(), gradient.begin(), gradient.end());
      p.grad.clear();
    }
    for (Index n = 0; n < texts.count(); ++n) {
      const Range some = texts.queries(n);
      const Tensor<Index, 2> text = tokens.slice(1, some.begin, some.end).copy();
      EXPECT_TRUE(same_bits(rows(all, some), model(text))) << n;
      attn::Tape<float> alone;
      const auto logits = model(alone, text);
      alone.backward(sum(logits * logits) / float(all.size()));
    }
    std::size_t at = 0;
    for (const auto& p : model.parameters())
      for (const float g : p.grad.values()) EXPECT_NEAR(together[at++], g, 2e-6) << p.name;
  }
}

TEST(Packed, ALanguageModelRefusesTextsThatDoNotFit) {
  attn::Random random{6};
  const attn::LanguageModel<float> model(small(true, std::nullopt), random);
  const Tensor<Index, 2> tokens({1, 14});
  model(tokens, Packed{{0, 13, 14}});
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              model(tokens, Packed{{0, 14}});
            }),
            "LanguageModel: the number of tokens = 14 must be at most max_length = 13");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              model(tokens, Packed{{0, 13}});
            }),
            "Packed: the last offset of the queries, 13, must be their length L = 14");
}

TEST(Packed, PositionsMayBeListed) {
  attn::Random random{7};
  const attn::Rotary rotary({.head_dim = 6});
  const auto x = normal<double, 4>(random, {2, 3, 4, 6});
  const auto listed = rotary(x, std::vector<Index>{5, 6, 0, 9});
  const auto from_5 = rotary(x, 5), from_7 = rotary(x, 7), from_minus_2 = rotary(x, -2);
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h)
      for (Index e = 0; e < 6; ++e) {
        EXPECT_EQ(listed(b, h, 1, e), from_5(b, h, 1, e));
        EXPECT_EQ(listed(b, h, 2, e), from_minus_2(b, h, 2, e));
        EXPECT_EQ(listed(b, h, 3, e), rotary(x, 6)(b, h, 3, e));
      }
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              rotary(x, std::vector<Index>{1, 2});
            }),
            "Rotary: 2 positions must be one for each of the L = 4 rows");

  attn::LearnedPosition<double> position({.max_length = 8, .d_model = 6}, random);
  const auto y = position.add_to(x[0], std::vector<Index>{7, 0, 0, 3});
  for (Index h = 0; h < 3; ++h)
    for (Index e = 0; e < 6; ++e) {
      EXPECT_EQ(y(h, 0, e), x(0, h, 0, e) + position.weight.value()(7, e));
      EXPECT_EQ(y(h, 2, e), x(0, h, 2, e) + position.weight.value()(0, e));
    }
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              position.add_to(x[0], std::vector<Index>{7, 0, 8, 3});
            }),
            "LearnedPosition: length = 1 and offset = 8 must be at least 0 and together at most "
            "max_length = 8");
  attn::Tape<double> tape;
  const auto dy = normal<double, 3>(random, {3, 4, 6});
  const auto variable = tape.variable(x[0].copy());
  tape.backward(position.add_to(variable, std::vector<Index>{7, 0, 0, 3}), dy);
  EXPECT_TRUE(same_bits(variable.grad(), dy));
  for (Index e = 0; e < 6; ++e) {
    double seven = 0, zero = 0;
    for (Index h = 0; h < 3; ++h) {
      seven += dy(h, 0, e);
      zero += dy(h, 1, e) + dy(h, 2, e);
    }
    EXPECT_NEAR(position.weight.gradient().sum()(7, e), seven, 1e-14);
    EXPECT_NEAR(position.weight.gradient().sum()(0, e), zero, 1e-14);
    EXPECT_EQ(position.weight.gradient().sum()(1, e), 0);
  }
}

}  // namespace
