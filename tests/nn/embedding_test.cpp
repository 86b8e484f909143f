#include <gtest/gtest.h>
#include <attn/nn/embedding.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

TEST(Embedding, TakesRowsTimesTheRootOfTheirWidth) {
  attn::Random random{51};
  const attn::Embedding<double> embedding({.num_embeddings = 5, .embedding_dim = 16}, random),
      plain({.num_embeddings = 5, .embedding_dim = 16, .scale = 1}, random);
  Tensor<Index, 2> ids({2, 3});
  for (Index i = 0; i < 6; ++i) ids.data()[i] = (i * 3 + 1) % 5;
  const Tensor<double, 3> x = embedding(ids), y = plain(ids);
  for (Index b = 0; b < 2; ++b)
    for (Index l = 0; l < 3; ++l)
      for (Index d = 0; d < 16; ++d) {
        EXPECT_EQ(x(b, l, d), 4 * embedding.weight.value()(ids(b, l), d));
        EXPECT_EQ(y(b, l, d), plain.weight.value()(ids(b, l), d));
      }
  EXPECT_EQ(embedding(Tensor<Index, 1>({0})).shape(), (attn::Shape<2>{0, 16}));
}

TEST(Embedding, StartsSoThatWhatIsUsedHasADeviationOfOne) {
  attn::Random random{52};
  for (const auto scale : {std::optional<double>(), std::optional<double>(1)}) {
    const attn::Embedding<double> embedding(
        {.num_embeddings = 1000, .embedding_dim = 64, .scale = scale}, random);
    const double deviation = std::sqrt(embedding.weight.value().flat().squaredNorm() / 64000);
    EXPECT_NEAR(deviation * scale.value_or(8), 1, 0.01);
  }
  EXPECT_EQ(attn::Embedding<float>({.num_embeddings = 3, .embedding_dim = 2})
                .weight.value()
                .flat()
                .norm(),
            0)
      << "about to be loaded";
}

TEST(Embedding, RefusesWhatIsNoToken) {
  const attn::Embedding<float> embedding({.num_embeddings = 5, .embedding_dim = 2});
  Tensor<Index, 1> ids({2});
  for (const Index bad : {Index(5), Index(-1), std::numeric_limits<Index>::max()}) {
    ids(1) = bad;
    EXPECT_EQ(sentence_of<attn::OptionError>([&] { embedding(ids); }),
              "Embedding: token id " + std::to_string(bad) +
                  " must be at least 0 and below the vocabulary's size, 5");
  }
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [] { attn::Embedding<float>({.num_embeddings = 0, .embedding_dim = 2}); }),
            "Embedding: num_embeddings = 0 must be at least 1");
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [] { attn::Embedding<float>({.num_embeddings = 2, .embedding_dim = 0}); }),
            "Embedding: embedding_dim = 0 must be at least 1");
}

}  // namespace
