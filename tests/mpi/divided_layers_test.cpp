// Layers and language models on a rank's positions of a sequence, against one process.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/mpi.hpp>

#include "mpi/ranks.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;
using attn::mpi::Divided;

/// The sum of a tensor over all ranks, in their order.
template <class T>
Tensor<T, 1> sum_over_ranks(const Tensor<T, 1>& mine) {
  Tensor<T, 2> all({ranks().size(), mine.size()});
  const std::vector<Index> counts(std::size_t(ranks().size()), mine.size());
  attn::mpi::all_gather(ranks(), std::span<const T>(mine.data(), std::size_t(mine.size())),
                        std::span<T>(all.data(), std::size_t(all.size())), counts)
      .wait();
  Tensor<T, 1> sum({mine.size()});
  for (Index rank = 0; rank < ranks().size(); ++rank) sum.flat() += all.matrix().row(rank);
  return sum;
}

/// All gradients of a model's parameters, one after the other.
template <class Model>
Tensor<double, 1> gradients(Model& model) {
  std::vector<double> all;
  for (const auto& p : model.parameters()) {
    const std::span<const double> gradient = p.grad;
    all.insert(all.end(), gradient.begin(), gradient.end());
  }
  Tensor<double, 1> result({std::ssize(all)});
  std::copy(all.begin(), all.end(), result.data());
  return result;
}

attn::TransformerEncoder<double> encoder() {
  attn::Random random{1};
  const attn::TransformerLayerOptions layer{.d_model = 24,
                                            .nhead = 4,
                                            .dim_feedforward = 32,
                                            .dropout = 0,
                                            .norm_first = true,
                                            .num_kv_heads = 2,
                                            .rotary = attn::RotaryOptions{}};
  return {{.layer = layer, .num_layers = 2}, random};
}

TEST(Divided, EncodersHaveTheBitsOfOneProcessForTheirPositions) {
  for (const Index S : {3, 250, 700}) {
    attn::TransformerEncoder<double> whole_model = encoder(), model = encoder();
    const auto rule = attn::Causal{} & attn::SlidingWindow{.left = 100};
    attn::Random random{2};
    const auto x = normal<double, 3>(random, {2, S, 24}), d = normal<double, 3>(random, {2, S, 24});
    attn::Tape<double> whole_tape, tape;
    const auto whole_x = whole_tape.variable(x);
    const auto wanted = whole_model(whole_x, rule);
    whole_tape.backward(wanted, d);

    const attn::mpi::Sequence sequence(ranks(), S);
    const auto here = tape.variable(sequence.local(x));
    const auto got = model(here, Divided{sequence, rule});
    tape.backward(got, sequence.local(d));
    EXPECT_TRUE(same_bits(got.value(), sequence.local(wanted.value()))) << S;
    EXPECT_TRUE(same_bits(here.grad(), sequence.local(whole_x.grad()))) << S;
    EXPECT_TRUE(same_bits(model(here.value(), Divided{sequence} & rule), got.value())) << S;
    const Tensor<double, 1> sum = sum_over_ranks(gradients(model)), one = gradients(whole_model);
    EXPECT_LT((sum.flat() - one.flat()).norm(), 1e-12 * one.flat().norm()) << S;
    EXPECT_GT(one.flat().norm(), 1);
  }
}

TEST(Divided, LanguageModelsHaveTheBitsOfOneProcessForTheirTokens) {
  const Index S = 300, vocabulary = 40;
  const auto compare = [&](const attn::LanguageModelOptions& options) {
    attn::Random random{3};
    const attn::LanguageModel<float> model(options, random);
    Tensor<Index, 2> tokens({1, S});
    for (Index i = 0; i < S; ++i) tokens(0, i) = random.index(vocabulary);
    const attn::mpi::Sequence sequence(ranks(), S);
    Tensor<Index, 2> here({1, sequence.size()});
    for (Index i = 0; i < sequence.size(); ++i) here(0, i) = tokens(0, sequence.position(i));
    EXPECT_TRUE(same_bits(model(here, Divided{sequence}), sequence.local(model(tokens))));
  };
  const attn::LanguageModelSizes sizes{.vocabulary = vocabulary,
                                       .d_model = 32,
                                       .nhead = 4,
                                       .num_kv_heads = 2,
                                       .dim_feedforward = 48,
                                       .num_layers = 2,
                                       .max_length = 400};
  compare(attn::llama(sizes));
  compare(attn::gpt2(sizes));
}

TEST(Divided, SaysWhatDoesNotFit) {
  const attn::mpi::Sequence sequence(ranks(), 200);
  const attn::TransformerEncoder<double> model = encoder();
  const Tensor<double, 3> x({1, sequence.size() + 1, 24});
  try {
    model(x, Divided{sequence});
    FAIL() << "nothing was thrown";
  } catch (const attn::ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("the input has "), std::string::npos) << error.what();
  }
}

}  // namespace
