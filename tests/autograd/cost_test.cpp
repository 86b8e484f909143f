#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/count_allocations.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

TEST(Cost, OfATensorWithoutATapeIsItsResultAlone) {
  attn::set_num_threads(1);
  attn::Random random{1};
  attn::Linear<float> linear({.in_features = 8, .out_features = 8}, random);
  attn::LayerNorm<float> norm({.normalized_shape = 8});
  attn::MultiHeadAttention<float> attention({.embed_dim = 8, .num_heads = 2, .dropout = 0.5},
                                            random);
  const attn::Dropout dropout(0.5);
  const auto x = normal<float, 3>(random, {2, 5, 8});
  EXPECT_EQ(allocations_of_second([&] { linear(x); }), 1);
  EXPECT_EQ(allocations_of_second([&] { norm(x); }), 1);
  EXPECT_EQ(allocations_of_second([&] { attention(x, x, x, attn::Causal{}); }),
            5);  // q, k, v, the heads, the output
  EXPECT_EQ(allocations_of_second([&] { std::as_const(attention)(x, x, x, attn::Causal{}); }), 5);
  Tensor<float, 3> given = x;
  EXPECT_EQ(allocations_of_second([&] { given = norm(dropout(std::move(given))); }), 0);
  for (const auto& p : attention.parameters()) EXPECT_TRUE(p.grad.empty());
  attn::set_executor(attn::Pool{});
}

TEST(Cost, OfATrainingStepIsTheMemoryOfTheStepBefore) {
  attn::set_num_threads(1);
  attn::Random random{3};
  attn::TransformerEncoderLayer<float> layer(
      {.d_model = 64, .nhead = 4, .dim_feedforward = 128, .dropout = 0.1}, random);
  const auto x = normal<float, 3>(random, {2, 32, 64});
  const auto step = [&] {
    attn::Tape<float> tape{random};
    tape.backward(layer(tape.constant(x)), x);
  };
  step();  // its gradients stay with the parameters
  const auto expect_no_tensors_allocated = [&](auto&& training_step) {
    training_step();
    for (int i = 0; i < 3; ++i) {
      const std::ptrdiff_t before = most_bytes_allocated = bytes_allocated.load();
      training_step();
      EXPECT_LT(most_bytes_allocated - before, 20'000) << "records, no tensors";
    }
  };
  expect_no_tensors_allocated(step);
  attn::Tape<float> tape{random};
  expect_no_tensors_allocated([&] { tape.backward(layer(tape.constant(x)), x); });
  attn::set_executor(attn::Pool{});
}

TEST(Cost, OfALongSequenceForwardAndBackwardIsLinear) {
  attn::Random random{2};
  const Index L = 20000, E = 64;
  const auto x = normal<float, 4>(random, {1, 1, L, E});
  Tensor<float, 4> dq(x.shape()), dk(x.shape()), dv(x.shape());
  const attn::SlidingWindow near{.left = 100,
                                 .right = 100};  // memory does not depend on the rule, time does
  const attn::ScaledDotProductAttention attend;
  const std::ptrdiff_t before = most_bytes_allocated = bytes_allocated.load();
  const auto forward = attend.with_log_sum_exp(x, x, x, near);
  attend.backward(attn::AttentionInputs<float>{x, x, x}, {forward.output, forward.log_sum_exp, x},
                  near, {dq, dk, dv});
  EXPECT_LT(most_bytes_allocated - before, std::ptrdiff_t{64} << 20);
  EXPECT_GT(most_bytes_allocated - before, std::ptrdiff_t{5} << 20);  // the output is counted
}

}  // namespace
