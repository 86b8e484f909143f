#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train.hpp>

namespace {

using attn::Index, attn::Tensor;

/// A small model on two threads, with dropout, learns to reverse three letters out of five.
TEST(TrainingThreads, LearnToReverse) {
  constexpr Index start = 0, letters = 5, vocabulary = letters + 1, length = 3, batch = 32;
  attn::set_num_threads(2);
  attn::Random random{1};
  attn::Transformer<float> model(
      {.source_vocabulary = vocabulary,
       .target_vocabulary = vocabulary,
       .layer = {.d_model = 16, .nhead = 2, .dim_feedforward = 32, .dropout = 0.02},
       .num_encoder_layers = 1,
       .num_decoder_layers = 1,
       .share_embeddings = true,
       .tie_embeddings = true},
      random);
  attn::Adam<float> adam(model.parameters(), {.beta2 = 0.98});
  const attn::ConstantSchedule rate{.peak = 5e-3, .warmup_steps = 20};
  Tensor<Index, 2> source({batch, length}), target({batch, length}), reversed({batch, length});
  const auto draw = [&] {
    for (Index b = 0; b < batch; ++b) {
      for (Index i = 0; i < length; ++i) source(b, i) = 1 + random.index(letters);
      for (Index i = 0; i < length; ++i) {
        reversed(b, i) = source(b, length - 1 - i);
        target(b, i) = i == 0 ? start : reversed(b, i - 1);
      }
    }
  };
  float first = 0, last = 0;
  for (Index step = 1; step <= 300; ++step) {
    draw();
    attn::Tape<float> tape{random};
    const auto loss = attn::cross_entropy(model(tape, source, target), reversed);
    adam.zero_grad();
    tape.backward(loss);
    attn::clip_gradient_norm(model.parameters(), 1.0);
    adam.step(rate(step));
    last = loss.value()(0);
    if (step == 1) first = last;
  }
  draw();
  const Tensor<Index, 2> written =
      model.generate(source, {.start = start, .end = 0, .max_length = length});
  const Index right = (written.flat().array() == reversed.flat().array()).count();
  EXPECT_GT(first, 1.5f);
  EXPECT_LT(last, 0.2f);
  EXPECT_GE(right, 90);  // of 96
  std::printf("loss %.3f to %.3f, %ld of 96 letters right\n", double(first), double(last),
              long(right));
  attn::set_executor(attn::Pool{});
}

}  // namespace
