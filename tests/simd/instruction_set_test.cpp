#include <gmock/gmock.h>
#include <attn/attn.hpp>

#include <cstdlib>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::InstructionSet, attn::Tensor;

/// The instruction sets of this build that the processor runs.
std::vector<InstructionSet> available() {
  std::vector<InstructionSet> sets;
  for (const auto set : {InstructionSet::native, InstructionSet::avx2, InstructionSet::avx512})
    if (set <= attn::detail::best_instruction_set()) sets.push_back(set);
  return sets;
}

struct InstructionSets : testing::Test {
  InstructionSet before = attn::instruction_set();
  ~InstructionSets() override { attn::set_instruction_set(before); }
};

TEST_F(InstructionSets, AreChosenByName) {
  for (const auto set : available()) {
    attn::set_instruction_set(set);
    EXPECT_EQ(attn::instruction_set(), set);
    EXPECT_EQ(attn::detail::instruction_set_named(to_string(set)), set);
  }
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::detail::instruction_set_named("sse5"); }),
            "attn: the instruction set \"sse5\" must be native, avx2 or avx512");
}

TEST_F(InstructionSets, BeyondTheBestAreRefusedAndNothingChanges) {
  const InstructionSet best = attn::detail::best_instruction_set();
  if (best == InstructionSet::avx512) GTEST_SKIP() << "this processor has all of them";
  EXPECT_THROW(attn::set_instruction_set(InstructionSet::avx512), attn::OptionError);
  EXPECT_EQ(attn::instruction_set(), before);
}

/// An encoder forward and backward, a rule of the user's, and a step of Adam.
std::vector<Tensor<double, 3>> computed() {
  attn::Random random{3};
  attn::TransformerEncoderLayer<double> layer(
      {.d_model = 36, .nhead = 3, .dim_feedforward = 50, .activation = attn::Activation::gelu},
      random);
  auto x = normal<double, 3>(random, {2, 21, 36});
  attn::Tape<double> tape;
  const auto v = tape.variable(x);
  const auto y = layer(v, attn::Causal{} & attn::Softcap{5});
  tape.backward(y, x);
  return {y.value(), v.grad(), layer(x, attn::SlidingWindow{.left = 4, .right = 2})};
}

TEST_F(InstructionSets, AgreeUpToRounding) {
  attn::set_instruction_set(InstructionSet::native);
  const auto wanted = computed();
  for (const auto set : available()) {
    attn::set_instruction_set(set);
    const auto got = computed();
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_LT((got[i].flat() - wanted[i].flat()).cwiseAbs().maxCoeff(), 1e-12)
          << to_string(set) << ' ' << i;
  }
}

TEST_F(InstructionSets, MayChangeBetweenCallsOfALayer) {
  attn::Random random{4};
  const attn::Linear<float> linear({.in_features = 40, .out_features = 70}, random);
  const auto x = normal<float, 2>(random, {9, 40});
  attn::set_instruction_set(InstructionSet::native);
  const Tensor<float, 2> wanted = linear(x);
  for (int round = 0; round < 2; ++round)
    for (const auto set : available()) {
      attn::set_instruction_set(set);
      EXPECT_LT((linear(x).flat() - wanted.flat()).cwiseAbs().maxCoeff(), 1e-5) << to_string(set);
    }
}

}  // namespace
