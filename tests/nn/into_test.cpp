#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/count_allocations.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

// Layers that write to the caller's memory.
namespace {

using attn::Index, attn::Tensor;

class Into : public testing::Test {
 protected:
  void SetUp() override { attn::set_num_threads(2); }
  void TearDown() override { attn::set_executor(attn::Pool{}); }

  attn::Random random{1};
  attn::TransformerStackOptions options{.layer = {.d_model = 16, .nhead = 4, .dim_feedforward = 32},
                                        .num_layers = 3};
};

TEST_F(Into, GivesTheResultOfTheCall) {
  const attn::TransformerEncoder<float> encoder(options, random);
  const auto x = normal<float, 3>(random, {2, 9, 16});
  Tensor<float, 3> y(x.shape());
  encoder.into(y, x, attn::Causal{});
  EXPECT_EQ(y, encoder(x, attn::Causal{}));

  // A view of the caller's memory, here a part of a larger tensor.
  Tensor<float, 3> wide({2, 20, 16});
  encoder.into(wide.slice(1, 4, 13), x);
  EXPECT_EQ(wide.slice(1, 4, 13).copy(), encoder(x));
  EXPECT_EQ(wide(0, 3, 0), 0);
  EXPECT_EQ(wide(1, 13, 0), 0);
}

TEST_F(Into, AllocatesNothingAfterTheFirstCall) {
  const attn::MultiHeadAttention<float> attention({.embed_dim = 16, .num_heads = 4}, random);
  const attn::TransformerEncoder<float> encoder(options, random);
  const attn::TransformerDecoder<float> decoder(options, random);
  const auto x = normal<float, 3>(random, {2, 9, 16}),
             memory = normal<float, 3>(random, {2, 5, 16});
  const attn::Padding padding({9, 4});
  Tensor<float, 3> y(x.shape());
  EXPECT_EQ(allocations_of_second([&] { attention.into(y, x, x, x, attn::Causal{}); }), 0u);
  EXPECT_EQ(allocations_of_second([&] { encoder.into(y, x, padding); }), 0u);
  EXPECT_EQ(allocations_of_second([&] { decoder.into(y, x, memory, attn::Causal{}); }), 0u);
}

TEST_F(Into, AllocatesNothingInADecodingStep) {
  const attn::TransformerDecoder<float> decoder(options, random);
  const auto memory = normal<float, 3>(random, {2, 5, 16}),
             tgt = normal<float, 3>(random, {2, 6, 16});
  const Tensor<float, 3> all = decoder(tgt, memory, attn::Causal{});
  auto cache = decoder.cache(memory, 6);
  Tensor<float, 3> y({2, 1, 16});
  for (Index i = 0; i < 6; ++i) {
    const Tensor<float, 3> last = tgt.slice(1, i, i + 1).copy();
    const std::size_t before = allocations;
    decoder.step_into(y, last, cache, attn::Causal{attn::Align::lower_right});
    if (i > 0) {
      EXPECT_EQ(allocations - before, 0u) << "step " << i;
    }
    EXPECT_EQ(y, all.slice(1, i, i + 1).copy());
  }
}

TEST_F(Into, RefusesAnOutputThatOverlapsAnInputOrHasAnotherShape) {
  const attn::LayerNorm<float> norm({.normalized_shape = 4});
  Tensor<float, 2> x({6, 4});
  random.normal(x);
  const Tensor<float, 2> before = x;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { norm.into(x, x); }),
            "LayerNorm: output (6, 4) must not overlap the input (6, 4) in memory");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { norm.into(x.slice(0, 0, 3), x.slice(0, 2, 5)); }),
            "LayerNorm: output (3, 4) must not overlap the input (3, 4) in memory");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { norm.into(x.slice(0, 0, 2), x.slice(0, 2, 5)); }),
            "LayerNorm: output (2, 4) must have the shape (3, 4)");
  EXPECT_EQ(x, before);
  norm.into(x.slice(0, 0, 3), x.slice(0, 3, 6));
  EXPECT_EQ(x.slice(0, 0, 3).copy(), norm(before.slice(0, 3, 6)));
}

TEST(DropoutLayer, WithProbabilityOneGivesZeros) {
  attn::Random random{2};
  attn::Tape<float> tape{random};
  auto input = normal<float, 2>(random, {5, 7});
  input(0, 0) = std::numeric_limits<float>::infinity();
  const auto x = tape.variable(input);
  const auto y = attn::Dropout(1.0)(x);
  EXPECT_EQ(y.value(), (Tensor<float, 2>({5, 7})));
  tape.backward(attn::sum(y));
  EXPECT_EQ(x.grad(), (Tensor<float, 2>({5, 7})));
  EXPECT_EQ(attn::Dropout(1.0)(input), input);  // inference
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::Dropout(1.5); }),
            "Dropout: dropout = 1.5 must be at least 0 and at most 1");
}

TEST(DropoutLayer, OfSomeRowsRefusesAPlaceThatIsNoneOfAll) {
  attn::Random draws{1};
  attn::Tape<float> tape(draws);
  const auto x = tape.variable(attn::Tensor<float, 2>({3, 4}));
  const attn::RowPositions outside({1, 4, 6}, 6);
  try {
    attn::Dropout(0.5)(x, outside);
    FAIL() << "nothing was thrown";
  } catch (const attn::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "Dropout: the place 6 of row 2 must be one of the 6 rows that the mask is drawn "
                 "for");
  }
  attn::Dropout(0.5)(x, attn::RowPositions({1, 4, 5}, 6));
}

TEST(DropoutLayer, OfAttentionWeightsWithProbabilityOneGivesZeros) {
  attn::Random random{2};
  attn::MultiHeadAttention<float> attention({.embed_dim = 8, .num_heads = 2, .dropout = 1}, random);
  attn::Tape<float> tape{random};
  const auto x = tape.variable(normal<float, 3>(random, {1, 5, 8}));
  const auto y = attention(x, x, x);
  EXPECT_EQ(y.value(), (Tensor<float, 3>({1, 5, 8})));  // the biases are 0
  tape.backward(attn::sum(y));
  EXPECT_EQ(x.grad(), (Tensor<float, 3>({1, 5, 8})));
}

}  // namespace
