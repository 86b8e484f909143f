#include "examples/characters.hpp"

#include <gmock/gmock.h>

#include "examples/training_run.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

using attn::Index, attn::Tensor;

namespace {

using Training = TrainingRun<attn::LanguageModel<float>>;
const attn::LanguageModelOptions small =
    CharacterModelOptions{.vocabulary = 3, .width = 16, .heads = 2, .layers = 1, .context = 12}
        .model();

/// Steps on "abcabc…", from positions that are drawn.
void learn(Training& run, int steps) {
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
  const attn::LanguageModel<float> model(small, random);
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
  Training run(small, 1);
  learn(run, 150);
  EXPECT_THAT(run.model.generate({1}, {.max_new_tokens = 40}),
              testing::ElementsAre(2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2,
                                   0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2));
}

TEST(TrainingRun, ThatIsResumedEndsBitwiseIdentical) {
  const TemporaryFolder folder;
  Training whole(small, 1), first(small, 1), second(small, 99);
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
