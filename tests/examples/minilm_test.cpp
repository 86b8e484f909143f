#include <gmock/gmock.h>

#include <attn/text/load_word_piece.hpp>
#include <cstdlib>

#include "examples/bert.hpp"
#include "support/expect_error.hpp"

// Against Hugging Face's BertModel in PyTorch, float64: tests/data/make_minilm_cases.py.

using attn::Index, attn::Tensor;

namespace {

/// The sentences of `ids`, which contains them one after another.
std::vector<std::vector<Index>> batch_of(const attn::SafeTensors& file) {
  const std::vector<Index> ids = file.values<Index>("ids");
  std::vector<std::vector<Index>> batch;
  auto at = ids.begin();
  for (const Index length : file.values<Index>("lengths")) {
    batch.emplace_back(at, at + length);
    at += length;
  }
  return batch;
}

/// The distance of two rows, and the cosine of their angle. A NaN gives NaN.
struct Similarity {
  double distance, cosine;
};
template <class A, class B>
Similarity similarity(const Eigen::MatrixBase<A>& got, const Eigen::MatrixBase<B>& expected) {
  const Eigen::RowVectorXd a = got.template cast<double>(), b = expected;
  return {(a - b).norm(), a.dot(b) / (a.norm() * b.norm())};
}

const BertOptions small{.vocab_size = 40,
                        .max_position_embeddings = 12,
                        .hidden_size = 16,
                        .num_hidden_layers = 2,
                        .num_attention_heads = 4,
                        .intermediate_size = 24};
Bert small_bert() { return load_bert(ATTN_TESTS_DATA "/minilm_small.safetensors", small); }

}  // namespace

TEST(Bert, IsPyTorchsForAPaddedBatch) {
  const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/minilm_small_cases.safetensors");
  const auto expected = file.get<double, 2>("embeddings");
  const Tensor<float, 2> got = small_bert().sentences(TokenBatch(batch_of(file)));
  ASSERT_EQ(got.shape(), expected.shape());
  EXPECT_LT((got.flat().cast<double>() - expected.flat()).norm(), 2e-6);
}

TEST(Bert, HasPyTorchsAttentionWeights) {
  const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/minilm_small_cases.safetensors");
  const auto expected = file.get<double, 4>("attention");
  const TokenBatch first({batch_of(file)[0]});
  for (Index layer = 0; layer < 2; ++layer) {
    const Tensor<float, 4> weights = small_bert().weights(first, static_cast<std::size_t>(layer));
    EXPECT_LT((weights[0].flat().cast<double>() - expected[layer].flat()).norm(), 5e-6)
        << "layer " << layer;
  }
}

TEST(Bert, ASentenceIsBitwiseIdenticalInEveryBatch) {
  const Bert bert = small_bert();
  const std::vector<Index> sentence{3, 1, 4, 1, 5}, longer{9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
  const Tensor<float, 2> alone = bert.sentences(TokenBatch({sentence}));
  const Tensor<float, 2> together = bert.sentences(TokenBatch({longer, sentence, {}, {2}}));
  EXPECT_EQ(alone[0], together[1]);
}

TEST(Bert, WithStoredWeightsHasNearlyTheSameSentences) {
  const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/minilm_small_cases.safetensors");
  const TokenBatch tokens(batch_of(file));
  const Tensor<float, 2> exact = small_bert().sentences(tokens);
  const std::pair<attn::Storage, double> least[] = {{attn::Storage::bfloat16, 0.9999},
                                                    {attn::Storage::float16, 0.999999},
                                                    {attn::Storage::int8, 0.9995},
                                                    {attn::Storage::int4, 0.97}};
  for (const auto& [storage, cosine] : least) {
    Bert bert = small_bert();
    bert.store_weights(storage);
    const Tensor<float, 2> stored = bert.sentences(tokens);
    for (Index i = 0; i < exact.shape()[0]; ++i)
      EXPECT_GE(similarity(stored.matrix().row(i), exact.matrix().row(i).cast<double>()).cosine,
                cosine)
          << to_string(storage) << ", sentence " << i;
  }
}

TEST(Bert, NamesWhatAFileLacks) {
  BertOptions other = small;
  other.num_hidden_layers = 3;
  other.vocab_size = 41;
  const std::string sentence = sentence_of<attn::ShapeError>(
      [&] { load_bert(ATTN_TESTS_DATA "/minilm_small.safetensors", other); });
  EXPECT_THAT(sentence, testing::HasSubstr("missing: encoder.layers.2.self_attn.in_proj_weight"));
  EXPECT_THAT(sentence,
              testing::HasSubstr(
                  "misshapen: embeddings.word_embeddings.weight (40, 16) instead of (41, 16)"));
}

TEST(MiniLM, IsPyTorchsForEverySentence) {
  const char* const folder = std::getenv("ATTN_MINILM_FOLDER");
  if (folder == nullptr || *folder == '\0')
    GTEST_SKIP() << "ATTN_MINILM_FOLDER does not name a folder with all-MiniLM-L6-v2's "
                    "model.safetensors and vocab.txt";
  const attn::Tokenizer tokenizer =
      attn::load_word_piece(std::filesystem::path(folder) / "vocab.txt");
  const Bert bert = load_bert(std::filesystem::path(folder) / "model.safetensors");
  const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/minilm_cases.safetensors");
  const std::vector<std::vector<Index>> expected = batch_of(file);
  ASSERT_EQ(expected.size(), file.metadata().size());
  ASSERT_GE(expected.size(), 50u);

  std::vector<std::vector<Index>> tokens;
  for (const auto& [number, sentence] : file.metadata()) {
    tokens.push_back(tokenizer.encode(sentence, {.max_length = 256}));
    EXPECT_EQ(tokens.back(), expected[tokens.size() - 1]) << sentence;
  }
  const auto reference = file.get<double, 2>("embeddings");
  double lowest = 1, farthest = 0;
  // Batches of 8 have short and long sentences, and few are padded to the longest of all.
  for (std::size_t begin = 0; begin < tokens.size(); begin += 8) {
    const auto first = tokens.begin() + std::ptrdiff_t(begin);
    const auto last = tokens.begin() + std::ptrdiff_t(std::min(begin + 8, tokens.size()));
    const Tensor<float, 2> embeddings = bert.sentences(TokenBatch({first, last}));
    for (Index i = 0; i < embeddings.shape()[0]; ++i) {
      const auto [distance, cosine] =
          similarity(embeddings.matrix().row(i), reference.matrix().row(Index(begin) + i));
      EXPECT_GE(cosine, 0.99999) << "sentence " << Index(begin) + i;
      EXPECT_LT(distance, 5e-6) << "sentence " << Index(begin) + i;
      lowest = std::min(lowest, cosine);
      farthest = std::max(farthest, distance);
    }
  }
  std::printf("%zu sentences, lowest cosine 1 - %.1e, largest distance %.1e\n", tokens.size(),
              1 - lowest, farthest);
}
