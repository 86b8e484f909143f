// Layers and language models on a rank's positions of a sequence, against one process.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/mpi.hpp>

#include "mpi/ranks.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;
using attn::mpi::Divided;

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

attn::TransformerEncoder<double> encoder(double dropout = 0) {
  attn::Random random{1};
  const attn::TransformerLayerOptions layer{.d_model = 24,
                                            .nhead = 4,
                                            .dim_feedforward = 32,
                                            .dropout = dropout,
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
    attn::mpi::sum_gradients(ranks(), model.parameters());
    const Tensor<double, 1> sum = gradients(model), one = gradients(whole_model);
    EXPECT_LT((sum.flat() - one.flat()).norm(), 1e-12 * one.flat().norm()) << S;
    EXPECT_GT(one.flat().norm(), 1);
  }
}

TEST(Divided, EncodersDropWhatOneProcessDrops) {
  for (const Index S : {1, 3, 250, 700}) {
    attn::TransformerEncoder<double> whole_model = encoder(0.3), model = encoder(0.3);
    attn::Random random{2};
    const auto x = normal<double, 3>(random, {2, S, 24}), d = normal<double, 3>(random, {2, S, 24});
    attn::Random whole_draws{9}, draws{9};
    attn::Tape<double> whole_tape(whole_draws), tape(draws);
    const attn::mpi::Sequence sequence(ranks(), S);
    for (int step = 0; step < 2; ++step) {
      const auto whole_x = whole_tape.variable(x);
      const auto wanted = whole_model(whole_x, attn::Causal{});
      whole_tape.backward(wanted, d);
      const auto here = tape.variable(sequence.local(x));
      const auto got = model(here, Divided{sequence, attn::Causal{}});
      tape.backward(got, sequence.local(d));
      EXPECT_TRUE(same_bits(got.value(), sequence.local(wanted.value()))) << S << ", " << step;
      EXPECT_TRUE(same_bits(here.grad(), sequence.local(whole_x.grad()))) << S << ", " << step;
    }
    EXPECT_EQ(draws.counter, whole_draws.counter);
    EXPECT_GT(draws.counter, 0u);
    attn::mpi::sum_gradients(ranks(), model.parameters());
    const Tensor<double, 1> sum = gradients(model), one = gradients(whole_model);
    EXPECT_LT((sum.flat() - one.flat()).norm(), 1e-12 * one.flat().norm()) << S;
  }
}

attn::LanguageModelSizes sizes(Index vocabulary) {
  return {.vocabulary = vocabulary,
          .d_model = 32,
          .nhead = 4,
          .num_kv_heads = 2,
          .dim_feedforward = 48,
          .num_layers = 2,
          .max_length = 400};
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
  compare(attn::llama(sizes(vocabulary)));
  compare(attn::gpt2(sizes(vocabulary)));
}

TEST(Divided, LanguageModelsDropWhatOneProcessDrops) {
  const Index S = 150, vocabulary = 40;
  attn::LanguageModelOptions options = attn::gpt2(sizes(vocabulary));
  options.layer.dropout = 0.2;
  attn::Random random{3};
  attn::LanguageModel<float> model(options, random);
  Tensor<Index, 2> tokens({2, S});
  for (Index i = 0; i < tokens.size(); ++i) tokens.data()[i] = random.index(vocabulary);
  const attn::mpi::Sequence sequence(ranks(), S);
  Tensor<Index, 2> here({2, sequence.size()});
  for (Index b = 0; b < 2; ++b)
    for (Index i = 0; i < sequence.size(); ++i) here(b, i) = tokens(b, sequence.position(i));
  attn::Random whole_draws{9}, draws{9};
  attn::Tape<float> whole_tape(whole_draws), tape(draws);
  const auto wanted = model(whole_tape, tokens), got = model(tape, here, Divided{sequence});
  EXPECT_TRUE(same_bits(got.value(), sequence.local(wanted.value())));
  EXPECT_FALSE(same_bits(got.value(), std::as_const(model)(here, Divided{sequence})));
}

TEST(Divided, EncodersTrainTheirRule) {
  const Index S = 200;
  attn::TransformerEncoder<double> whole_model = encoder(0.3), model = encoder(0.3);
  attn::Random random{2};
  const auto x = normal<double, 3>(random, {2, S, 24}), d = normal<double, 3>(random, {2, S, 24});
  attn::Parameter<double, 4> whole_bias({1, 4, S, S}), bias({1, 4, S, S});
  const attn::mpi::Sequence sequence(ranks(), S);
  attn::Random whole_draws{9}, draws{9};
  attn::Tape<double> whole_tape(whole_draws), tape(draws);
  const attn::LearnedBias whole_rule{whole_tape.parameter(whole_bias)};
  whole_tape.backward(whole_model(whole_tape.constant(x), whole_rule), d);
  const attn::LearnedBias rule{tape.parameter(bias)};
  const auto here = tape.constant(sequence.local(x));
  tape.backward(model(here, Divided{sequence} & rule), sequence.local(d));
  EXPECT_TRUE(same_bits(bias.gradient().sum(), whole_bias.gradient().sum()));
  EXPECT_GT(bias.gradient().sum().flat().norm(), 1e-3);
}

TEST(Divided, LanguageModelsLearnWhatTheyLearnOnOneProcess) {
  const Index S = 131, vocabulary = 11;
  attn::Random random{5};
  attn::LanguageModel<double> whole_model(attn::llama(sizes(vocabulary)), random);
  attn::LanguageModel<double> model = whole_model;
  Tensor<Index, 2> tokens({1, S}), targets({1, S});
  for (Index i = 0; i < S; ++i) tokens(0, i) = random.index(vocabulary);
  for (Index i = 0; i < S; ++i) targets(0, i) = tokens(0, (i * 7 + 1) % S);
  const attn::mpi::Sequence sequence(ranks(), S);
  Tensor<Index, 2> tokens_here({1, sequence.size()}), targets_here(tokens_here.shape());
  for (Index i = 0; i < sequence.size(); ++i) {
    tokens_here(0, i) = tokens(0, sequence.position(i));
    targets_here(0, i) = targets(0, sequence.position(i));
  }

  attn::Adam<double> whole_adam(whole_model.parameters()), adam(model.parameters());
  for (int step = 0; step < 5; ++step) {
    attn::Tape<double> whole_tape, tape;
    whole_tape.backward(attn::cross_entropy(whole_model(whole_tape, tokens), targets));
    const double share = double(sequence.size()) / double(S);
    const auto logits = model(tape, tokens_here, Divided{sequence});
    tape.backward(attn::cross_entropy(logits, targets_here) * share);
    attn::mpi::sum_gradients(ranks(), model.parameters());
    whole_adam.step(1e-2);
    adam.step(1e-2);
    adam.zero_grad();
    whole_adam.zero_grad();
  }
  double gap = 0, moved = 0;
  const attn::LanguageModel<double> first = [&] {
    attn::Random again{5};
    return attn::LanguageModel<double>(attn::llama(sizes(vocabulary)), again);
  }();
  const auto whole = whole_model.parameters(), divided = model.parameters();
  const auto before = first.parameters();
  for (std::size_t k = 0; k < whole.size(); ++k) {
    for (std::size_t i = 0; i < whole[k].value.size(); ++i) {
      gap = std::max(gap, std::abs(whole[k].value[i] - divided[k].value[i]));
      moved = std::max(moved, std::abs(whole[k].value[i] - before[k].value[i]));
    }
    const std::span<const double> mine = divided[k].value;
    std::vector<double> of_rank_0(mine.begin(), mine.end());
    attn::mpi::broadcast(ranks(), std::span(of_rank_0), 0);
    EXPECT_TRUE(std::equal(mine.begin(), mine.end(), of_rank_0.begin())) << whole[k].name;
  }
  EXPECT_LT(gap, 1e-9);
  EXPECT_GT(moved, 1e-2);
}

TEST(SumGradients, LeavesThoseEmptyThatNoRankHasAndSaysWhatDiffers) {
  attn::Random random{1};
  attn::Linear<double> used({.in_features = 3, .out_features = 2}, random), unused = used;
  if (ranks().rank() == ranks().size() - 1) {
    attn::Tape<double> tape;
    tape.backward(attn::sum(used(tape.variable(normal<double, 2>(random, {4, 3})))));
  }
  attn::mpi::sum_gradients(ranks(), used.parameters());
  EXPECT_EQ(std::span<const double>(used.parameters()[1].grad)[0], 4);
  attn::mpi::sum_gradients(ranks(), unused.parameters());
  for (const auto& p : unused.parameters()) EXPECT_TRUE(p.grad.empty()) << p.name;

  if (ranks().size() == 1) return;
  attn::Linear<double> other({.in_features = 3, .out_features = 2 + ranks().rank()});
  try {
    attn::mpi::sum_gradients(ranks(), other.parameters());
    FAIL() << "nothing was thrown";
  } catch (const attn::ShapeError& error) {
    EXPECT_EQ(std::string(error.what()),
              "sum_gradients: rank 1 of " + std::to_string(ranks().size()) +
                  " says weight double (3, 3), rank 0 says weight double (2, 3)");
  }
}

TEST(SumGradients, SaysInAShortSentenceThatARankCallsSomethingElse) {
  if (ranks().size() == 1) return;
  attn::TransformerEncoder<double> model = encoder();
  try {
    if (ranks().rank() == 1) attn::mpi::Sequence(ranks(), 5);
    else attn::mpi::sum_gradients(ranks(), model.parameters());
    FAIL() << "nothing was thrown";
  } catch (const attn::ShapeError& error) {
    EXPECT_EQ(std::string(error.what()), "rank 1 of " + std::to_string(ranks().size()) +
                                             " calls Sequence: length 5, rank 0 calls "
                                             "sum_gradients: 24 parameters");
  }
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
