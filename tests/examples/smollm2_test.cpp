#include <gmock/gmock.h>

#include <attn/io/language_model.hpp>
#include <cstdlib>

// SmolLM2-135M-Instruct against Hugging Face's transformers in float64: see
// tests/data/make_smollm2_cases.py.

namespace {

using attn::Index, attn::Tensor;

/// What transformers computed of one prompt.
struct Case {
  std::string prompt;
  std::vector<Index> ids;
  std::vector<Index> tokens;   // with the largest logits
  std::vector<double> logits;  // theirs
  std::vector<Index> greedy;
  std::vector<double> gaps;  // by which each greedy token's logit exceeds the second largest
};

template <class V>
std::vector<V> row(const Tensor<V, 2>& matrix, Index i) {
  return {&matrix(i, 0), &matrix(i, 0) + matrix.shape()[1]};
}

std::vector<Case> cases() {
  const auto file = attn::load_safetensors(ATTN_TESTS_DATA "/smollm2_cases.safetensors");
  const auto ids = file.values<Index>("ids"), lengths = file.values<Index>("lengths");
  const auto tokens = file.get<Index, 2>("tokens"), greedy = file.get<Index, 2>("greedy");
  const auto logits = file.get<double, 2>("logits"), gaps = file.get<double, 2>("gaps");
  std::vector<Case> all;
  auto at = ids.begin();
  for (const auto& [number, prompt] : file.metadata()) {
    const Index i = std::ssize(all);
    const auto end = at + lengths[all.size()];
    all.push_back(
        {prompt, {at, end}, row(tokens, i), row(logits, i), row(greedy, i), row(gaps, i)});
    at = end;
  }
  return all;
}

Tensor<Index, 2> batch_of_one(const std::vector<Index>& tokens) {
  Tensor<Index, 2> batch({1, std::ssize(tokens)});
  std::copy(tokens.begin(), tokens.end(), batch.data());
  return batch;
}
Index best(const Tensor<float, 2>& logits) {
  return std::max_element(&logits(0, 0), &logits(0, 0) + logits.size()) - &logits(0, 0);
}

/// How many greedy tokens were compared: up to the first at which the best two of transformers are
/// so near that rounding may swap them.
Index compare_greedy(const attn::LanguageModel<float>& model, Tensor<float, 2> logits,
                     attn::LanguageModelCache<float>& cache, const Case& expected) {
  for (std::size_t i = 0; i < expected.greedy.size(); ++i) {
    if (expected.gaps[i] < 1e-3) return static_cast<Index>(i);
    const Index token = best(logits);
    EXPECT_EQ(token, expected.greedy[i]) << "token " << i << " after: " << expected.prompt;
    if (token != expected.greedy[i]) return static_cast<Index>(i);
    logits = model.last_logits(batch_of_one({token}), cache);
  }
  return std::ssize(expected.greedy);
}

}  // namespace

TEST(SmolLM2, HasTheLogitsAndTheGreedyTokensOfTransformers) {
  const char* const path = std::getenv("ATTN_SMOLLM2");
  if (path == nullptr || *path == '\0')
    GTEST_SKIP() << "ATTN_SMOLLM2 does not name the GGUF file of SmolLM2-135M-Instruct that "
                    ".ci/smollm2 brings";
  const auto model = attn::load_language_model<float>(path);
  const std::vector<Case> all = cases();
  ASSERT_EQ(all.size(), 30u);
  double largest = 0;
  Index compared = 0;
  for (const Case& expected : all) {
    auto cache = model.cache(1, std::ssize(expected.ids) + std::ssize(expected.greedy));
    const Tensor<float, 2> logits = model.last_logits(batch_of_one(expected.ids), cache);
    for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
      const double gap =
          std::abs(static_cast<double>(logits(0, expected.tokens[i])) - expected.logits[i]);
      EXPECT_LT(gap, 2e-4) << "token " << expected.tokens[i] << " after: " << expected.prompt;
      largest = std::max(largest, gap);
    }
    compared += compare_greedy(model, logits, cache, expected);
  }
  std::printf("%td logits, largest difference %.1e; %td greedy tokens\n",
              std::ssize(all) * std::ssize(all[0].tokens), largest, compared);
}
