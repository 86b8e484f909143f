#include <gtest/gtest.h>
#include <attn/nn/learned_position.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::LearnedPosition, attn::Tensor;

TEST(LearnedPosition, GivesTheRowsOfItsTable) {
  LearnedPosition<float> position({.max_length = 7, .d_model = 3});
  for (Index row = 0; row < 7; ++row)
    for (Index column = 0; column < 3; ++column)
      position.weight.edit()(row, column) = float(10 * row + column);
  for (Index offset = 0; offset <= 7; ++offset)
    for (Index length = 0; offset + length <= 7; ++length) {
      const attn::TensorView<const float, 2> rows = position(length, offset);
      ASSERT_EQ(rows.shape(), (attn::Shape<2>{length, 3}));
      for (Index i = 0; i < length; ++i)
        for (Index column = 0; column < 3; ++column)
          EXPECT_EQ(rows(i, column), float(10 * (offset + i) + column));
    }
  EXPECT_TRUE(position(4) == position(4, 0));
  EXPECT_EQ(position(2, 5).data(), position.weight.value().data() + 15) << "they are not copied";
}

TEST(LearnedPosition, SeesEveryChangeOfItsTable) {
  attn::Random random{1};
  LearnedPosition<double> position({.max_length = 5, .d_model = 2});
  const LearnedPosition<double> other({.max_length = 5, .d_model = 2}, random);
  EXPECT_EQ(position(5).flat().cwiseAbs().maxCoeff(), 0);
  position.load_state_dict(other.state_dict());
  EXPECT_TRUE(position(3, 2) == other(3, 2));
  position.parameters().front().edit()[9] = 4;
  EXPECT_EQ(position(1, 4)(0, 1), 4);
  LearnedPosition<double> copy = position;
  copy.weight.edit()(0, 0) = 8;
  EXPECT_FALSE(copy(1) == position(1)) << "a copy has a table of its own";
}

TEST(LearnedPosition, IsOneParameterOfThatName) {
  const LearnedPosition<float> position({.max_length = 512, .d_model = 8});
  ASSERT_EQ(position.parameters().size(), 1u);
  EXPECT_EQ(position.parameters()[0].name, "weight");
  EXPECT_EQ(position.parameters()[0].shape, (std::vector<Index>{512, 8}));
  attn::StateDict<float> bert;
  bert.set("embeddings.position_embeddings.weight", Tensor<float, 2>({512, 8}));
  LearnedPosition<float> loaded({.max_length = 512, .d_model = 8});
  loaded.load_state_dict(bert, "embeddings.position_embeddings.");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              LearnedPosition<float>({.max_length = 511, .d_model = 8})
                  .load_state_dict(position.state_dict());
            }),
            "LearnedPosition: the state dict must have exactly this layer's entries; missing: "
            "none; unexpected: none; "
            "misshapen: weight (512, 8) instead of (511, 8)");
}

TEST(LearnedPosition, StartsNormalWithDeviationTwoHundredths) {
  attn::Random random{3};
  const LearnedPosition<double> position({.max_length = 500, .d_model = 64}, random);
  const auto rows = position(500).flat();
  EXPECT_NEAR(rows.mean(), 0, 4e-4);
  EXPECT_NEAR(std::sqrt(rows.squaredNorm() / 32000), 0.02, 3e-4);
  EXPECT_GT(rows.maxCoeff(), 0.06) << "beyond what a uniform start of that deviation reaches";
  EXPECT_EQ(random.counter, 32000u) << "a draw for each number";
}

TEST(LearnedPositionErrors, NameWhatIsWrong) {
  const LearnedPosition<float> position({.max_length = 512, .d_model = 4});
  const auto refused = [&](Index length, Index offset) {
    return sentence_of<attn::OptionError>([&] { position(length, offset); });
  };
  const std::string rule = " must be at least 0 and together at most max_length = 512";
  EXPECT_EQ(refused(513, 0), "LearnedPosition: length = 513 and offset = 0" + rule);
  EXPECT_EQ(refused(1, 512), "LearnedPosition: length = 1 and offset = 512" + rule);
  EXPECT_EQ(refused(0, 513), "LearnedPosition: length = 0 and offset = 513" + rule);
  EXPECT_EQ(refused(-1, 3), "LearnedPosition: length = -1 and offset = 3" + rule);
  EXPECT_EQ(refused(2, -1), "LearnedPosition: length = 2 and offset = -1" + rule);
  const Index huge = std::numeric_limits<Index>::max();
  EXPECT_EQ(refused(huge, huge), "LearnedPosition: length = " + std::to_string(huge) +
                                     " and offset = " + std::to_string(huge) + rule)
      << "nothing overflows";
  EXPECT_EQ(position(512).shape()[0], 512);
  EXPECT_EQ(position(0, 512).size(), 0);
  const auto option = [](const attn::LearnedPositionOptions& options) {
    return sentence_of<attn::OptionError>([&] { LearnedPosition<float>{options}; });
  };
  EXPECT_EQ(option({.max_length = 0, .d_model = 2}),
            "LearnedPosition: max_length = 0 must be at least 1");
  EXPECT_EQ(option({.max_length = 2, .d_model = -1}),
            "LearnedPosition: d_model = -1 must be at least 1");
}

}  // namespace
