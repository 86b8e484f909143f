#include "examples/character_model.hpp"

#include <gmock/gmock.h>

#include "examples/training_run.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

using attn::Index, attn::Tensor;

namespace {

const CharacterModelOptions small{
    .vocabulary = 3, .width = 16, .heads = 2, .layers = 1, .dropout = 0.1};

/// Steps on "abcabc…", from positions that are drawn.
void learn(TrainingRun<CharacterModel>& run, int steps) {
  for (int i = 0; i < steps; ++i) {
    Tensor<Index, 2> in({4, 12}), out({4, 12});
    for (Index b = 0; b < 4; ++b) {
      const Index begin = run.random.index(3);
      for (Index j = 0; j < 12; ++j) {
        in(b, j) = (begin + j) % 3;
        out(b, j) = (begin + j + 1) % 3;
      }
    }
    run.learn([&](auto& tape) { return run.model(tape, in); }, out, 1e-2);
  }
}

}  // namespace

TEST(Characters, AreThoseOfTheTextAlone) {
  const Characters characters(U"hé!\nhéé");
  EXPECT_EQ(characters.count(), 4);
  EXPECT_EQ(characters.decode(characters.encode(U"é!h\n")), "é!h\n");
  EXPECT_EQ(sentence_of<std::invalid_argument>([&] { characters.encode(U"häh"); }),
            "the character \"ä\" must occur in the training text");
}

TEST(CharacterModel, AttendsToNoLaterCharacter) {
  attn::Random random{1};
  const CharacterModel model(small, random);
  Tensor<Index, 2> tokens({1, 5});
  for (Index i = 0; i < 5; ++i) tokens(0, i) = i % 3;
  const Tensor<float, 3> before = model(tokens);
  tokens(0, 3) = 2;
  tokens(0, 4) = 0;
  const Tensor<float, 3> after = model(tokens);
  EXPECT_EQ(before.matrix(0).topRows(3), after.matrix(0).topRows(3));
  EXPECT_NE(before.matrix(0).row(3), after.matrix(0).row(3));
}

TEST(CharacterModel, LearnsATextAndContinuesIt) {
  TrainingRun<CharacterModel> run(small, 1);
  learn(run, 150);
  attn::Random random{2};
  EXPECT_THAT(continue_text(run.model, {1}, {.count = 20, .context = 12, .temperature = 0}, random),
              testing::ElementsAre(1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0));
}

TEST(CharacterModel, DrawsWithTheProbabilitiesOfTheTemperature) {
  const std::vector<float> logits{0, std::log(2.0f), std::log(5.0f)};
  attn::Random random{3};
  const auto counts = [&](double temperature) {
    std::vector<double> count(3);
    for (int i = 0; i < 8000; ++i)
      ++count[static_cast<std::size_t>(draw(logits, temperature, random))];
    return count;
  };
  EXPECT_EQ(counts(0), (std::vector<double>{0, 0, 8000}));
  EXPECT_THAT(counts(1), testing::Pointwise(testing::DoubleNear(180), {1000.0, 2000.0, 5000.0}));
  EXPECT_THAT(counts(0.5), testing::Pointwise(testing::DoubleNear(180),
                                              {8000.0 / 30, 8000.0 * 4 / 30, 8000.0 * 25 / 30}));
}

TEST(TrainingRun, ThatIsResumedEndsBitwiseIdentical) {
  const TemporaryFolder folder;
  TrainingRun<CharacterModel> whole(small, 1), first(small, 1), second(small, 99);
  learn(whole, 7);
  learn(first, 3);
  attn::save_checkpoint(folder / "run.checkpoint", first.checkpoint());
  attn::load_checkpoint(folder / "run.checkpoint", second.checkpoint());
  EXPECT_EQ(second.step, 3);
  learn(second, 4);
  const auto expected = whole.model.parameters(), got = second.model.parameters();
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_THAT(got[i].value, testing::ElementsAreArray(expected[i].value)) << expected[i].name;
  EXPECT_EQ(second.step, 7);
}
