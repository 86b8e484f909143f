#include <gtest/gtest.h>
#include <attn/nn/rms_norm.hpp>
#include <attn/nn/summary.hpp>

#include "support/expect_error.hpp"
#include "support/modern_layer.hpp"
#include "support/plain_transformer.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor, attn::Activation;

const std::vector<attn::TransformerLayerOptions> kinds{
    {.d_model = 12, .nhead = 3, .dim_feedforward = 20},
    {.d_model = 12,
     .nhead = 4,
     .dim_feedforward = 7,
     .activation = Activation::gelu,
     .layer_norm_eps = 0.01,
     .norm_first = true},
    {.d_model = 8,
     .nhead = 2,
     .dim_feedforward = 33,
     .activation = Activation::gelu_tanh,
     .bias = false},
    {.d_model = 10,
     .nhead = 4,
     .dim_feedforward = 5,
     .activation = Activation::silu,
     .num_kv_heads = 2,
     .d_k = 3,
     .d_v = 4},
    {.d_model = 12,
     .nhead = 1,
     .dim_feedforward = 9,
     .activation = Activation::swiglu,
     .norm_first = true}};

TEST(TransformerEncoder, IsThePapersFigure) {
  attn::Random random{21};
  for (const auto& kind : kinds)
    for (const bool final_norm : {false, true}) {
      attn::TransformerEncoder<double> encoder(
          {.layer = kind, .num_layers = 2, .final_norm = final_norm});
      randomize(encoder, random);
      const auto x = normal<double, 3>(random, {2, 6, kind.d_model});
      EXPECT_LT(largest_gap(
                    encoder(x, attn::Padding{{6, 4}}),
                    plain::encoder(x, encoder,
                                   [](Index b, Index, Index, Index j) { return b == 0 || j < 4; })),
                1e-12);
      const auto causal =
          plain::encoder(x, encoder, [](Index, Index, Index i, Index j) { return j <= i; });
      EXPECT_LT(largest_gap(encoder(x, attn::Causal{}), causal), 1e-12);
      EXPECT_TRUE(same_bits(encoder(x.view(), attn::Causal{}), encoder(x, attn::Causal{})))
          << "a view";
      const auto part = x.slice(1, 1, 4);  // rows that do not follow each other evenly
      EXPECT_TRUE(same_bits(encoder.layers[0](part), encoder.layers[0](part.copy())))
          << "a part of each sequence";
      EXPECT_TRUE(same_bits(encoder(x[1].copy()), encoder(x)[1].copy()))
          << "one sequence, without the batch axis";
    }
}

TEST(TransformerDecoder, IsThePapersFigure) {
  attn::Random random{22};
  for (const auto& kind : kinds)
    for (const bool final_norm : {false, true}) {
      attn::TransformerDecoder<double> decoder(
          {.layer = kind, .num_layers = 2, .final_norm = final_norm});
      randomize(decoder, random);
      const auto tgt = normal<double, 3>(random, {2, 5, kind.d_model}),
                 memory = normal<double, 3>(random, {2, 7, kind.d_model});
      const auto expected = plain::decoder(
          tgt, memory, decoder, [](Index, Index, Index i, Index j) { return j <= i; },
          [](Index b, Index, Index, Index j) { return b == 1 || j < 3; });
      EXPECT_LT(largest_gap(decoder(tgt, memory, attn::Causal{}, attn::Padding{{3, 7}}), expected),
                1e-12);
      EXPECT_TRUE(same_bits(decoder(tgt.view(), memory.view()), decoder(tgt, memory))) << "views";
    }
}

template <class T>
class Decoding : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Decoding, Scalars);

TYPED_TEST(Decoding, StepByStepGivesTheBitsOfTheWhole) {
  using T = TypeParam;
  attn::Random random{23};
  const attn::Align right = attn::Align::lower_right;
  for (const auto& kind : kinds) {
    attn::TransformerDecoder<T> decoder({.layer = kind, .num_layers = 2, .final_norm = true});
    randomize(decoder, random);
    const auto tgt = normal<T, 3>(random, {3, 9, kind.d_model}),
               memory = normal<T, 3>(random, {3, 5, kind.d_model});
    const attn::Padding padding{{5, 2, 0}};
    const auto rule = [&](auto... align) {
      return attn::Causal{align...} & attn::Alibi{attn::Alibi::slopes(kind.nhead), align...} &
             attn::Softcap{2};
    };
    const Tensor<T, 3> whole = decoder(tgt, memory, rule(), padding);
    attn::DecoderCache<T> cache = decoder.cache(memory, 9);
    for (const auto& [begin, end] :
         {std::pair<Index, Index>{0, 1}, {1, 2}, {2, 6}, {6, 7}, {7, 8}, {8, 9}})
      EXPECT_TRUE(
          same_bits(decoder.step(tgt.slice(1, begin, end).copy(), cache, rule(right), padding),
                    whole.slice(1, begin, end).copy()))
          << begin;
  }
}

TYPED_TEST(Decoding, WithRotaryPositionsGivesTheBitsOfTheWhole) {
  using T = TypeParam;
  attn::Random random{25};
  const attn::Causal right{attn::Align::lower_right};
  for (const bool norm_first : {false, true}) {
    const attn::TransformerStackOptions options{
        .layer = modern_layer(norm_first), .num_layers = 2, .final_norm = norm_first};
    attn::TransformerEncoder<T> encoder(options);
    attn::TransformerDecoder<T> decoder(options);
    randomize(encoder, random);
    randomize(decoder, random);
    const auto tgt = normal<T, 3>(random, {2, 9, 12}), memory = normal<T, 3>(random, {2, 5, 12});
    const Tensor<T, 3> encoded = encoder(tgt, attn::Causal{});
    const Tensor<T, 3> decoded = decoder(tgt, memory, attn::Causal{});
    attn::EncoderCache<T> encoder_cache = encoder.cache(2, 9);
    attn::DecoderCache<T> decoder_cache = decoder.cache(memory, 9);
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, 1}, {1, 4}, {4, 5}, {5, 9}}) {
      const Tensor<T, 3> next = tgt.slice(1, begin, end).copy();
      EXPECT_TRUE(
          same_bits(encoder.step(next, encoder_cache, right), encoded.slice(1, begin, end).copy()));
      EXPECT_TRUE(
          same_bits(decoder.step(next, decoder_cache, right), decoded.slice(1, begin, end).copy()));
    }
  }
}

TYPED_TEST(Decoding, DoesNotRotateTheAttentionToAMemory) {
  using T = TypeParam;
  attn::Random random{26};
  attn::TransformerLayerOptions options = modern_layer(true);
  attn::TransformerDecoder<T> rotated({.layer = options, .num_layers = 2});
  randomize(rotated, random);
  options.rotary.reset();
  attn::TransformerDecoder<T> plain({.layer = options, .num_layers = 2});
  plain.load_state_dict(rotated.state_dict());
  const auto tgt = normal<T, 3>(random, {2, 3, 12}), memory = normal<T, 3>(random, {2, 5, 12});
  const Tensor<T, 3> first = tgt.slice(1, 0, 1).copy();  // position 0 is rotated by 0
  EXPECT_EQ(rotated(first, memory, attn::Causal{}), plain(first, memory, attn::Causal{}));
  EXPECT_NE(rotated(tgt, memory, attn::Causal{}), plain(tgt, memory, attn::Causal{}));
}

TEST(TransformerEncoder, AStepThatThrowsLeavesItsCacheAsItWas) {
  attn::Random random{5};
  const attn::TransformerEncoder<float> encoder({.layer = modern_layer(true), .num_layers = 2},
                                                random);
  const attn::Causal rule{attn::Align::lower_right};
  const auto x = normal<float, 3>(random, {2, 3, 12});
  const Tensor<float, 3> first = x.slice(1, 0, 2).copy(), last = x.slice(1, 2, 3).copy();
  auto cache = encoder.cache(2, 3);
  encoder.step(first, cache, rule);
  const auto throws = [&](auto&& call) {
    EXPECT_THROW(call(), attn::ShapeError);
    for (const auto& layer : cache.layers) EXPECT_EQ(layer.length(), 2);
  };
  throws([&] { encoder.step(last, cache, attn::Causal{}); });
  throws([&] {
    encoder.step(last, cache, attn::Causal{attn::Align::lower_right} & attn::Padding{{9, 9}});
  });
  throws([&] { encoder.step(first, cache, rule); });
  throws([&] { encoder.step(normal<float, 3>(random, {1, 1, 12}), cache, rule); });
  Tensor<float, 3> y({2, 1, 11}), overlapping = last;
  throws([&] { encoder.step_into(y, last, cache, rule); });
  throws([&] { encoder.step_into(overlapping, overlapping, cache, rule); });
  EXPECT_EQ(encoder.step(last, cache, rule), encoder(x, attn::Causal{}).slice(1, 2, 3).copy());
  attn::EncoderCache<float> empty;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { encoder.step(first, empty, rule); }),
            "TransformerEncoder: the cache has 0 layers and must have those of the encoder, 2");
}

TYPED_TEST(Decoding, OfABeamGivesTheBitsOfEachSequenceAlone) {
  using T = TypeParam;
  attn::Random random{24};
  attn::TransformerDecoder<T> decoder({.layer = kinds[1], .num_layers = 2});
  randomize(decoder, random);
  const Index B = 2, K = 3, L = 4, D = kinds[1].d_model;
  const auto memory = normal<T, 3>(random, {B, 5, D}), tgt = normal<T, 3>(random, {B * K, L, D});
  const attn::Causal causal{attn::Align::lower_right};
  attn::DecoderCache<T> cache = decoder.cache(memory, L, K);
  std::vector<Index> now{0, 1, 2,
                         3, 4, 5};  // which row of tgt each sequence of the beam has been fed
  std::vector<std::vector<Index>> history(6);
  const std::vector<std::vector<Index>> parents{
      {0, 1, 2, 3, 4, 5}, {2, 0, 0, 5, 5, 5}, {1, 1, 2, 3, 5, 4}, {0, 2, 1, 4, 3, 3}};
  for (Index l = 0; l < L; ++l) {
    cache.select(parents[std::size_t(l)]);
    std::vector<std::vector<Index>> selected;
    for (const Index p : parents[std::size_t(l)]) selected.push_back(history[std::size_t(p)]);
    history = selected;
    Tensor<T, 3> x({B * K, 1, D});
    for (Index h = 0; h < B * K; ++h) {
      copy(tgt[h].slice(0, l, l + 1), x[h]);
      history[std::size_t(h)].push_back(h);
    }
    const Tensor<T, 3> got = decoder.step(x, cache, causal, attn::Padding{{4, 5}});
    for (Index h = 0; h < B * K; ++h) {
      Tensor<T, 3> sequence({1, l + 1, D});
      for (Index i = 0; i <= l; ++i)
        copy(tgt[history[std::size_t(h)][std::size_t(i)]].slice(0, i, i + 1),
             sequence[0].slice(0, i, i + 1));
      const Index b = h / K;
      const Tensor<T, 3> alone = decoder(sequence, memory.slice(0, b, b + 1), attn::Causal{},
                                         attn::Padding{{b == 0 ? 4 : 5}});
      EXPECT_TRUE(same_bits(got[h].copy(), alone[0].slice(0, l, l + 1).copy()))
          << "hypothesis " << h << " at " << l;
    }
  }
}

TEST(TransformerDecoder, AStepThatThrowsLeavesItsCacheAsItWas) {
  attn::Random random{5};
  const attn::TransformerDecoder<float> decoder({.layer = kinds[0], .num_layers = 2}, random);
  const attn::Causal rule{attn::Align::lower_right};
  const auto memory = normal<float, 3>(random, {2, 3, 12});
  const auto tgt = normal<float, 3>(random, {2, 2, 12});
  const Tensor<float, 3> first = tgt.slice(1, 0, 1).copy(), second = tgt.slice(1, 1, 2).copy();
  auto cache = decoder.cache(memory, 2);
  decoder.step(first, cache, rule);
  const auto throws = [&](auto&& call) {
    EXPECT_THROW(call(), attn::ShapeError);
    for (const auto& layer : cache.layers) EXPECT_EQ(layer.self.length(), 1);
  };
  throws([&] { decoder.step(second, cache, attn::Causal{}); });
  throws([&] { decoder.step(second, cache, rule, attn::Padding{{9, 9}}); });
  throws([&] { decoder.step(tgt, cache, rule); });
  throws([&] { decoder.step(memory, cache, rule); });
  throws([&] { decoder.step(normal<float, 3>(random, {1, 1, 12}), cache, rule); });
  throws([&] { decoder.layers[0].step(second, cache.layers[0], attn::Causal{}, attn::NoMask{}); });
  Tensor<float, 3> y({2, 1, 11}), overlapping = second;
  throws([&] { decoder.step_into(y, second, cache, rule); });
  throws([&] { decoder.step_into(overlapping, overlapping, cache, rule); });
  EXPECT_EQ(decoder.step(second, cache, rule),
            decoder(tgt, memory, attn::Causal{}).slice(1, 1, 2).copy());

  attn::DecoderCache<float> empty;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { decoder.step(first, empty, rule); }),
            "TransformerDecoder: the cache has 0 layers and must have those of the decoder, 2");
}

TEST(TransformerState, HasPyTorchsNamesInPyTorchsOrder) {
  const auto names = [](const auto& layer) {
    std::string text;
    for (const auto& p : layer.parameters()) text += p.name + ' ';
    return text;
  };
  const attn::TransformerLayerOptions layer{.d_model = 4, .nhead = 2, .dim_feedforward = 3};
  EXPECT_EQ(
      names(attn::TransformerEncoder<float>({.layer = layer, .num_layers = 1, .final_norm = true})),
      "layers.0.self_attn.in_proj_weight layers.0.self_attn.in_proj_bias "
      "layers.0.self_attn.out_proj.weight layers.0.self_attn.out_proj.bias "
      "layers.0.linear1.weight layers.0.linear1.bias layers.0.linear2.weight layers.0.linear2.bias "
      "layers.0.norm1.weight layers.0.norm1.bias layers.0.norm2.weight layers.0.norm2.bias "
      "norm.weight norm.bias ");
  EXPECT_EQ(names(attn::TransformerDecoderLayer<float>(layer)),
            "self_attn.in_proj_weight self_attn.in_proj_bias self_attn.out_proj.weight "
            "self_attn.out_proj.bias "
            "multihead_attn.in_proj_weight multihead_attn.in_proj_bias "
            "multihead_attn.out_proj.weight multihead_attn.out_proj.bias "
            "linear1.weight linear1.bias linear2.weight linear2.bias norm1.weight norm1.bias "
            "norm2.weight norm2.bias norm3.weight norm3.bias ");
  attn::TransformerLayerOptions gated = layer;
  gated.activation = Activation::swiglu;
  gated.bias = false;
  EXPECT_EQ(names(attn::TransformerEncoderLayer<float>(gated)),
            "self_attn.in_proj_weight self_attn.out_proj.weight linear1.weight linear2.weight "
            "linear3.weight norm1.weight norm2.weight ");
}

TEST(TransformerErrors, NameTheLayerTheOptionAndWhatWasExpected) {
  using Encoder = attn::TransformerEncoder<float>;
  const attn::TransformerLayerOptions layer{.d_model = 6, .nhead = 2};
  const auto with = [&](auto&& change) {
    attn::TransformerStackOptions options{.layer = layer, .num_layers = 1};
    change(options);
    return sentence_of<attn::OptionError>([&] { Encoder made(options); });
  };
  EXPECT_EQ(with([](auto& o) { o.layer.nhead = 4; }),
            "MultiHeadAttention: embed_dim = 6 must be a positive multiple of num_heads = 4");
  EXPECT_EQ(with([](auto& o) { o.layer.dim_feedforward = 0; }),
            "FeedForward: dim_feedforward = 0 must be at least 1");
  EXPECT_EQ(with([](auto& o) { o.layer.dropout = 1.5; }),
            "MultiHeadAttention: dropout = 1.5 must be at least 0 and at most 1");
  EXPECT_EQ(with([](auto& o) { o.layer.dropout = std::nan(""); }).substr(0, 29),
            "MultiHeadAttention: dropout =");
  EXPECT_EQ(with([](auto& o) { o.layer.layer_norm_eps = -1; }),
            "LayerNorm: eps = -1 must be at least 0 and finite");
  EXPECT_EQ(with([](auto& o) { o.layer.layer_norm_eps = -1e-9; }),
            "LayerNorm: eps = -1e-09 must be at least 0 and finite");
  constexpr Index half = std::numeric_limits<Index>::max() / 2 + 1;
  EXPECT_EQ(with([=](auto& o) { o.layer.d_k = half; }),
            "MultiHeadAttention: num_heads = 2 of head dimension " + std::to_string(half) +
                " must be fewer than an Index can count");
  EXPECT_EQ(with([](auto& o) { o.num_layers = -1; }),
            "TransformerEncoder: num_layers = -1 must be at least 0");
  EXPECT_EQ(with([](auto& o) { o.layer.d_k = 0; }),
            "MultiHeadAttention: d_k = 0 must be at least 1");
  const Encoder encoder({.layer = layer, .num_layers = 1});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              encoder(Tensor<float, 3>({1, 2, 5}));
            }),
            "MultiHeadAttention: query (1, 2, 5) must be (1, 2, 6), the batch and length of what "
            "it goes with and embed_dim = 6");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              encoder.layers[0](Tensor<float, 4>({2, 3, 5, 6}));
            }),
            "MultiHeadAttention: query (2, 3, 5, 6) must be (3, 5, 6), the batch and length of "
            "what it goes with and embed_dim = 6");
  const attn::TransformerDecoder<float> decoder({.layer = layer, .num_layers = 1});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              decoder(Tensor<float, 3>({2, 2, 6}), Tensor<float, 3>({1, 2, 6}));
            }),
            "MultiHeadAttention: key (1, 2, 6) must be (2, 2, 6), the batch and length of what it "
            "goes with and kdim = 6");
}

TEST(TransformerEncoder, WithoutLayersOrPositionsIsWhatItWasGiven) {
  const attn::TransformerEncoder<float> none(
      {.layer = {.d_model = 4, .nhead = 2}, .num_layers = 0});
  attn::Random random{3};
  const auto x = normal<float, 3>(random, {2, 3, 4});
  EXPECT_TRUE(same_bits(none(x), x));
  const attn::TransformerEncoder<float> one(
      {.layer = {.d_model = 4, .nhead = 2, .dim_feedforward = 4}, .num_layers = 1});
  EXPECT_EQ(one(Tensor<float, 3>({2, 0, 4})).shape(), (attn::Shape<3>{2, 0, 4}));
  EXPECT_EQ(one(Tensor<float, 3>({0, 3, 4})).shape(), (attn::Shape<3>{0, 3, 4}));
}

}  // namespace
