#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train.hpp>

#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

/// All parameters of a model that was trained for some steps, with dropout, from a seed.
template <class T>
Tensor<T, 1> trained(std::uint64_t seed, Index threads) {
  attn::set_num_threads(threads);
  attn::Random random{seed};
  attn::Transformer<T> model(
      {.source_vocabulary = 30,
       .target_vocabulary = 30,
       .layer = {.d_model = 32, .nhead = 2, .dim_feedforward = 70, .dropout = 0.1},
       .num_encoder_layers = 2,
       .num_decoder_layers = 2,
       .tie_embeddings = true,
       .positions = attn::PositionEncoding::learned},
      random);
  attn::AdamW<T> adam(model.parameters());
  for (Index step = 1; step <= 4; ++step) {
    Tensor<Index, 2> source({9, 40}), target({9, 33});
    for (auto* ids : {&source, &target})
      for (Index i = 0; i < ids->size(); ++i) ids->data()[i] = random.index(30);
    attn::Tape<T> tape{random};
    const auto loss = attn::cross_entropy(
        model(tape, source, target, attn::Padding{{40, 3, 40, 17, 1, 25, 40, 8, 0}}), target,
        {.label_smoothing = 0.1});
    adam.zero_grad();
    tape.backward(loss);
    attn::clip_gradient_norm(model.parameters(), 0.5);
    adam.step(1e-3);
  }
  std::vector<T> all;
  for (const auto& p : model.parameters()) all.insert(all.end(), p.value.begin(), p.value.end());
  Tensor<T, 1> result({Index(all.size())});
  std::copy(all.begin(), all.end(), result.data());
  return result;
}

template <class T>
class ReproducibleThreads : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ReproducibleThreads, Scalars);

TYPED_TEST(ReproducibleThreads, TrainBitwiseIdenticalModelsFromOneSeed) {
  const auto one = trained<TypeParam>(7, 1);
  EXPECT_TRUE(same_bits(trained<TypeParam>(7, 1), one));
  for (const Index threads : {2, 3})
    EXPECT_TRUE(same_bits(trained<TypeParam>(7, threads), one)) << threads;
  EXPECT_FALSE(same_bits(trained<TypeParam>(8, 1), one));
  EXPECT_TRUE(one.flat().allFinite());
  attn::set_executor(attn::Pool{});
}

}  // namespace
