// What language models compute is compared with transformers in
// train/language_model_cases_test.cpp; here are caches, batches, generation and errors.
#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/allocations.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::LanguageModel, attn::Tensor, std::vector;
using Cache = attn::LanguageModelCache<float>;

constexpr attn::LanguageModelSizes sizes{.vocabulary = 30,
                                         .d_model = 16,
                                         .nhead = 4,
                                         .num_kv_heads = 2,
                                         .dim_feedforward = 24,
                                         .num_layers = 2,
                                         .max_length = 900};

attn::LanguageModelOptions qwen3_like() {
  attn::LanguageModelOptions options = qwen2(sizes);
  options.layer.qk_norm_eps = 1e-6;
  options.layer.rotary->rotary_dim = 2;
  options.tie_embeddings = false;
  return options;
}
attn::LanguageModelOptions with_window(Index window) {
  attn::LanguageModelOptions options = llama(sizes);
  options.sliding_window = window;
  return options;
}

/// Weights large enough that every choice counts.
template <class Kernel = attn::Tiled>
LanguageModel<float, Kernel> made(const attn::LanguageModelOptions& options) {
  attn::Random random{5};
  LanguageModel<float, Kernel> model(options, random);
  for_each_matrix(model.parameters(), [&](const auto& matrix) { random.normal(matrix, 0, 0.4); });
  return model;
}

Tensor<Index, 2> drawn(attn::Random& random, Index B, Index L) {
  Tensor<Index, 2> tokens({B, L});
  for (Index i = 0; i < tokens.size(); ++i) tokens.data()[i] = random.index(sizes.vocabulary);
  return tokens;
}
vector<Index> row(const Tensor<Index, 2>& tokens, Index b, Index begin, Index end) {
  return {&tokens(b, 0) + begin, &tokens(b, 0) + end};
}

struct Architecture {
  const char* name;
  attn::LanguageModelOptions options;
};
void PrintTo(const Architecture& a, std::ostream* out) { *out << a.name; }

class LanguageModels : public testing::TestWithParam<Architecture> {
 protected:
  LanguageModel<float> model = made(GetParam().options);
  attn::Random random{9};
};
INSTANTIATE_TEST_SUITE_P(All, LanguageModels,
                         testing::Values(Architecture{"llama", llama(sizes)},
                                         Architecture{"gpt2", gpt2(sizes)},
                                         Architecture{"qwen3", qwen3_like()},
                                         Architecture{"window", with_window(7)}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(LanguageModels, StepIsBitwiseThatPartOfTheWhole) {
  const Tensor<Index, 2> tokens = drawn(random, 3, 24);
  const Tensor<float, 3> whole = model(tokens);
  Cache cache = model.cache(3, 24);
  for (Index begin = 0; const Index count : {1, 6, 1, 13, 3}) {
    EXPECT_TRUE(same_bits(model.step(tokens.slice(1, begin, begin + count).copy(), cache),
                          whole.slice(1, begin, begin + count).copy()))
        << begin;
    begin += count;
    EXPECT_EQ(cache.length(), begin);
  }
  EXPECT_EQ(cache.tokens[1], row(tokens, 1, 0, 24));
}

TEST_P(LanguageModels, WeightsAreThoseOfTheCall) {
  const Tensor<Index, 2> tokens = drawn(random, 2, 11);
  const auto both = model.with_weights(tokens);
  EXPECT_TRUE(same_bits(both.output, model(tokens)));
  ASSERT_EQ(both.weights.size(), 2u);
  for (const Tensor<float, 4>& weights : both.weights) {
    ASSERT_EQ(weights.shape(), (attn::Shape<4>{2, 4, 11, 11}));
    for (Index i = 0; i < 11; ++i) {
      EXPECT_NEAR(weights.matrix(1, 3).row(i).sum(), 1, 1e-5);
      EXPECT_EQ(weights.matrix(1, 3).row(i).tail(10 - i).cwiseAbs().sum(), 0);
    }
  }
}

TEST_P(LanguageModels, CacheCanBeCopiedAndTruncated) {
  const Tensor<Index, 2> tokens = drawn(random, 2, 12);
  const Tensor<float, 3> whole = model(tokens);
  Cache cache = model.cache(2, 12);
  model.step(drawn(random, 2, 12), cache);
  cache.truncate(0);
  model.step(tokens.slice(1, 0, 9).copy(), cache);
  Cache branch = cache;
  branch.truncate(4);
  EXPECT_EQ(cache.length(), 9);
  EXPECT_EQ(branch.length(), 4);
  EXPECT_TRUE(
      same_bits(model.step(tokens.slice(1, 4, 12).copy(), branch), whole.slice(1, 4, 12).copy()));
  EXPECT_TRUE(
      same_bits(model.step(tokens.slice(1, 9, 12).copy(), cache), whole.slice(1, 9, 12).copy()));
}

TEST_P(LanguageModels, SequencesOfDifferentLengthsAreEachAsIfAlone) {
  const vector<Index> lengths{5, 11, 1, 8};
  const Tensor<Index, 2> tokens = drawn(random, 4, 20);
  vector<Cache> caches;
  for (Index b = 0; b < 4; ++b) {
    caches.push_back(model.cache(1, 20));
    model.step(tokens.slice(0, b, b + 1).slice(1, 0, lengths[std::size_t(b)]).copy(),
               caches.back());
  }
  Cache joined = Cache::join(caches);
  EXPECT_EQ(joined.length(), 11);
  joined.select({3, 0, 1, 2});
  const vector<Index> order{3, 0, 1, 2};
  for (Index done = 0; const Index count : {1, 1, 4}) {
    Tensor<Index, 2> next({4, count});
    for (Index r = 0; r < 4; ++r)
      for (Index i = 0; i < count; ++i) {
        const Index b = order[std::size_t(r)];
        next(r, i) = tokens(b, lengths[std::size_t(b)] + done + i);
      }
    const Tensor<float, 3> together = model.step(next, joined);
    for (Index r = 0; r < 4; ++r)
      EXPECT_TRUE(same_bits(
          together.slice(0, r, r + 1).copy(),
          model.step(next.slice(0, r, r + 1).copy(), caches[std::size_t(order[std::size_t(r)])])))
          << r << " " << done;
    done += count;
  }
}

TEST_P(LanguageModels, StepOfNoTokensChangesNothing) {
  const Tensor<Index, 2> tokens = drawn(random, 2, 5);
  Cache cache = model.cache(2, 12), other = model.cache(2, 12);
  model.step(tokens, cache);
  model.step(tokens, other);
  EXPECT_EQ(model.step(Tensor<Index, 2>({2, 0}), cache).shape(), (attn::Shape<3>{2, 0, 30}));
  EXPECT_EQ(cache.length(), 5);
  EXPECT_TRUE(same_bits(model.step(tokens, cache), model.step(tokens, other)));
}

TEST_P(LanguageModels, CachesThatCannotBeSelectedOrJoinedAreASentence) {
  Cache cache = model.cache(2, 9);
  model.step(drawn(random, 2, 5), cache);
  for (const Index b : {-1, 2})
    EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
                cache.select({0, b});
              }),
              "KeyValueCache: sequence " + std::to_string(b) +
                  " must be at least 0 and less than the number of sequences, 2");
  EXPECT_EQ(cache.length(), 5);
  EXPECT_EQ(sentence_of<attn::ShapeError>([] { Cache::join({}); }),
            "EncoderCache: join must have at least one cache");
  Cache fewer = cache;
  fewer.layers.layers.pop_back();
  for (const auto& caches : {vector<Cache>{cache, fewer}, vector<Cache>{fewer, cache}})
    EXPECT_NE(sentence_of<attn::ShapeError>([&] {
                Cache::join(caches);
              }).find("EncoderCache: join must have caches of equally many layers, but one has "),
              std::string::npos);
}

TEST(KeyValueCache, OfAWindowBeyondItsCapacityKeepsAll) {
  for (const Index window : {Index{50}, Index{49}, std::numeric_limits<Index>::max()}) {
    attn::KeyValueCache<float> cache({1, 50}, {1, 4, 4}, {.window = window});
    EXPECT_EQ(cache.memory_length(), 50);
    attn::Random drawing{1};
    const auto x = normal<float, 3>(drawing, {1, 50, 4});
    cache.append(x.view(), x.view());
    EXPECT_EQ(cache.first(0), 0);
    EXPECT_TRUE(cache.can_truncate(3));
  }
}

TEST_P(LanguageModels, LastLogitsAreThoseOfTheLastToken) {
  const Tensor<Index, 2> tokens = drawn(random, 2, 700);
  Cache cache = model.cache(2, 700);
  const Tensor<float, 2> last = model.last_logits(tokens, cache);
  EXPECT_TRUE(same_bits(last, model(tokens).slice(1, 699, 700).copy().reshape({2, 30})));
  EXPECT_EQ(cache.length(), 700);
}

/// A long prompt is computed in parts; none is, if one of them cannot be.
TEST_P(LanguageModels, LeaveACacheAsItWasWhereAPromptDoesNotFit) {
  Tensor<Index, 2> tokens = drawn(random, 1, 600);
  Cache cache = model.cache(1, 550);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { model.last_logits(tokens, cache); }),
            "KeyValueCache: 600 positions must be at most the capacity, 550");
  EXPECT_EQ(cache.length(), 0);
  cache = model.cache(1, 600);
  tokens(0, 590) = 30;
  EXPECT_THROW(model.last_logits(tokens, cache), attn::OptionError);
  EXPECT_EQ(cache.length(), 0);
}

TEST_P(LanguageModels, EndATextWhereTheCacheIsFull) {
  const vector<Index> prompt{3, 1, 4, 1, 5};
  const vector<Index> text = model.generate(prompt, {.max_new_tokens = 20});
  Cache cache = model.cache(1, 8), small = model.cache(1, 4);
  EXPECT_EQ(model.generate(prompt, {.max_new_tokens = 20}, cache),
            vector<Index>(text.begin(), text.begin() + 4));
  EXPECT_EQ(cache.length(), 8);
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { model.generate(prompt, {.max_new_tokens = 20}, small); }),
            "generate: the length of the prompt = 5 must be at most the capacity of the cache, 4");
}

TEST_P(LanguageModels, GenerateGreedilyTheTokenOfTheLargestLogit) {
  const vector<Index> prompt{3, 1, 4, 1, 5};
  vector<Index> all = prompt, heard;
  for (Index i = 0; i < 12; ++i) {
    const Index L = std::ssize(all);
    Tensor<Index, 2> tokens({1, L});
    std::copy(all.begin(), all.end(), tokens.data());
    const Tensor<float, 3> logits = model(tokens);
    const auto last = logits[0][L - 1];
    all.push_back(std::max_element(last.data(), last.data() + 30) - last.data());
  }
  const vector<Index> text = model.generate(prompt, {.max_new_tokens = 12}, [&](Index token) {
    heard.push_back(token);
    return true;
  });
  EXPECT_EQ(text, vector<Index>(all.begin() + 5, all.end()));
  EXPECT_EQ(heard, text);
}

TEST_P(LanguageModels, GenerateForEachOfSeveralPromptsWhatItGivesAlone) {
  vector<vector<Index>> prompts;
  for (const Index length : {4, 9, 1, 17, 9})
    prompts.push_back(row(drawn(random, 1, length), 0, 0, length));
  attn::SamplingOptions sampling{.max_new_tokens = 15, .temperature = 1.5, .top_p = 0.9, .seed = 3};
  const auto alone = [&](const vector<Index>& prompt) { return model.generate(prompt, sampling); };
  sampling.end = {alone(prompts[1]).at(2), alone(prompts[3]).at(9)};  // they end at different times
  vector<vector<Index>> heard(5);
  const auto texts = model.generate(prompts, sampling, [&](Index prompt, Index token) {
    heard[std::size_t(prompt)].push_back(token);
    return true;
  });
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(texts[i], alone(prompts[i])) << i;
  EXPECT_EQ(heard, texts);
  EXPECT_LT(texts[1].size(), 15u);
}

TEST_P(LanguageModels, AllocateNothingInAStepAfterTheFirst) {
  attn::set_num_threads(2);
  const Tensor<Index, 2> tokens = drawn(random, 1, 10);
  Cache cache = model.cache(1, 10);
  Tensor<float, 3> logits({1, 1, 30});
  for (Index i = 0; i < 10; ++i) {
    const Tensor<Index, 2> next = tokens.slice(1, i, i + 1).copy();
    const std::size_t before = allocations;
    model.step_into(logits, next, cache);
    if (i > 0) {
      EXPECT_EQ(allocations - before, 0u) << "step " << i;
    }
  }
  EXPECT_TRUE(same_bits(logits, model(tokens).slice(1, 9, 10).copy()));
  attn::set_executor(attn::Pool{});
}

TEST(LanguageModelWindow, KeepsNoMoreThanItNeedsBitwise) {
  const LanguageModel<float> model = made(with_window(100));
  attn::Random random{2};
  const Tensor<Index, 2> tokens = drawn(random, 1, 900);
  const Tensor<float, 3> whole = model(tokens);
  Cache cache = model.cache(1, 900);
  for (Index begin = 0; begin < 900;) {
    const Index end = std::min<Index>(900, begin + 1 + random.index(begin < 400 ? 190 : 40));
    EXPECT_TRUE(same_bits(model.step(tokens.slice(1, begin, end).copy(), cache),
                          whole.slice(1, begin, end).copy()))
        << begin << " " << end;
    begin = end;
  }
  const auto& layer = cache.layers.layers[1];
  EXPECT_EQ(layer.length(0), 900);
  EXPECT_GT(layer.first(0), 0);
  EXPECT_EQ(layer.first(0) % attn::Tiled::tile_keys, 0);
  EXPECT_LE(layer.memory_length(), 100 + 3 * attn::Tiled::tile_keys);
  Cache back = cache;
  back.truncate(layer.first(0) + 100);
  const Index at = back.length();
  EXPECT_TRUE(same_bits(model.step(tokens.slice(1, at, at + 50).copy(), back),
                        whole.slice(1, at, at + 50).copy()));
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.truncate(150); }),
            "KeyValueCache: length 150 must be 0 or at least " +
                std::to_string(layer.first(0) + 100) + ", for the positions before " +
                std::to_string(layer.first(0)) + " are not kept");
  cache.truncate(0);
  EXPECT_TRUE(
      same_bits(model.step(tokens.slice(1, 0, 20).copy(), cache), whole.slice(1, 0, 20).copy()));
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { model.step(tokens.slice(1, 0, 193).copy(), cache); }),
      "KeyValueCache: 193 positions at once must be at most 192 in a cache that keeps a "
      "window");
}

/// Tiled, and how many queries it has computed.
struct Counting : attn::Tiled {
  static inline std::atomic<Index> queries = 0;
  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R& rule, const attn::HeadOutputs<T>& outputs,
               T* workspace) const {
    queries += task.Q.rows();
    attn::Tiled::forward(task, rule, outputs, workspace);
  }
};

TEST(LanguageModelConversation, ComputesNoPositionTwice) {
  const LanguageModel<float, Counting> model = made<Counting>(llama(sizes));
  const Index heads_and_layers = 4 * 2;
  auto cache = model.cache(1, 60);
  const vector<Index> prompt{1, 2, 3, 4, 5, 6};
  Counting::queries = 0;
  const vector<Index> text = model.generate(prompt, {.max_new_tokens = 5}, cache);
  EXPECT_EQ(Counting::queries, (6 + 4) * heads_and_layers);
  vector<Index> longer = prompt;
  longer.insert(longer.end(), text.begin(), text.end());
  longer.insert(longer.end(), {7, 8});
  Counting::queries = 0;
  const vector<Index> more = model.generate(longer, {.max_new_tokens = 3}, cache);
  EXPECT_EQ(Counting::queries, (1 + 2 + 2) * heads_and_layers);
  EXPECT_EQ(more, model.generate(longer, {.max_new_tokens = 3}));

  // Another continuation of a common beginning, and the same prompt once more.
  vector<Index> other(longer.begin(), longer.begin() + 9);
  other.push_back(29);
  Counting::queries = 0;
  const vector<Index> differently = model.generate(other, {.max_new_tokens = 1}, cache);
  EXPECT_EQ(Counting::queries, 1 * heads_and_layers);
  EXPECT_EQ(differently, model.generate(other, {.max_new_tokens = 1}));
  Counting::queries = 0;
  EXPECT_EQ(model.generate(other, {.max_new_tokens = 1}, cache), differently);
  EXPECT_EQ(Counting::queries, 1 * heads_and_layers);
}

TEST(LanguageModelConversation, BeginsAnewWhereAWindowHasForgotten) {
  const LanguageModel<float> model = made(with_window(20));
  attn::Random random{3};
  const Tensor<Index, 2> tokens = drawn(random, 1, 850);
  auto cache = model.cache(1, 900);
  model.last_logits(tokens, cache);
  ASSERT_GT(cache.layers.layers[0].first(0), 100);
  const vector<Index> prompt = row(tokens, 0, 0, 90);  // its end has been forgotten
  const vector<Index> expected = model.generate(prompt, {.max_new_tokens = 5});
  EXPECT_EQ(model.generate(prompt, {.max_new_tokens = 5}, cache), expected);
  EXPECT_EQ(cache.length(), 94);
}

TEST(LanguageModelGeneration, EndsWhereItMust) {
  const LanguageModel<float> model = made(llama(sizes));
  const vector<Index> prompt{1, 2, 3};
  const vector<Index> text = model.generate(prompt, {.max_new_tokens = 10});
  ASSERT_EQ(text.size(), 10u);
  Index count = 0;
  const auto three = [&](Index) { return ++count < 3; };
  EXPECT_EQ(model.generate(prompt, {.max_new_tokens = 10}, three),
            vector<Index>(text.begin(), text.begin() + 3));
  const auto end = std::find(text.begin(), text.end(), text[4]);
  EXPECT_EQ(model.generate(prompt, {.max_new_tokens = 10, .end = {text[4]}}),
            vector<Index>(text.begin(), end + 1));
  EXPECT_TRUE(model.generate(prompt, {.max_new_tokens = 0}).empty());

  attn::LanguageModelOptions options = llama(sizes);
  options.max_length = 8;
  const LanguageModel<float> small = made(options);
  EXPECT_EQ(small.generate(prompt, {.max_new_tokens = 100}).size(), 5u);
  EXPECT_TRUE(small.generate(vector<Index>(8, 1), {.max_new_tokens = 100}).empty());
  EXPECT_TRUE(model.generate(vector<vector<Index>>{}, {.max_new_tokens = 3}).empty());
}

TEST(LanguageModelGeneration, LogitsCanBeChangedBeforeTheChoice) {
  const LanguageModel<float> model = made(gpt2(sizes));
  vector<vector<Index>> seen;
  const auto only_even = [&](std::span<const Index> tokens, std::span<double> logits) {
    seen.emplace_back(tokens.begin(), tokens.end());
    for (std::size_t t = 1; t < logits.size(); t += 2)
      logits[t] = -std::numeric_limits<double>::infinity();
  };
  const vector<Index> text =
      model.generate({2, 4}, {.max_new_tokens = 20, .temperature = 2, .change_logits = only_even});
  for (const Index token : text) EXPECT_EQ(token % 2, 0);
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_EQ(seen[1], (vector<Index>{2, 4, text[0]}));
}

TEST(LanguageModelErrors, NameWhatIsWrong) {
  const LanguageModel<float> model = made(llama(sizes));
  const auto option = [](auto&& call) { return sentence_of<attn::OptionError>(call); };
  EXPECT_EQ(option([&] { model.generate(vector<Index>{}, {.max_new_tokens = 1}); }),
            "generate: the length of the prompt = 0 must be at least 1");
  EXPECT_EQ(option([&] { model.generate(vector<Index>(901, 1), {.max_new_tokens = 1}); }),
            "generate: the length of the prompt = 901 must be at most max_length = 900");
  EXPECT_EQ(option([&] {
              model.generate({3, 30}, {.max_new_tokens = 1});
            }),
            "generate: a token of the prompt = 30 must be at least 0 and below vocabulary = 30");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = -1}); }),
            "generate: max_new_tokens = -1 must be at least 0");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .temperature = -1}); }),
            "generate: temperature = -1 must be at least 0 and finite");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .top_k = -1}); }),
            "generate: top_k = -1 must be at least 0");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .top_p = 1.5}); }),
            "generate: top_p = 1.5 must be at least 0 and at most 1");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .min_p = -0.5}); }),
            "generate: min_p = -0.5 must be at least 0 and at most 1");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .repetition_penalty = 0}); }),
            "generate: repetition_penalty = 0 must be positive and finite");
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .end = {99}}); }),
            "generate: end = 99 must be a token, at least 0 and below vocabulary = 30");
  auto two = model.cache(2, 9);
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1}, two); }),
            "generate: the number of sequences of the cache = 2 must be 1");
  const auto nothing = [](std::span<const Index>, std::span<double> logits) {
    std::fill(logits.begin(), logits.end(), std::numeric_limits<double>::quiet_NaN());
  };
  EXPECT_EQ(option([&] { model.generate({3}, {.max_new_tokens = 1, .change_logits = nothing}); }),
            "generate: no token is possible, for every logit is -inf or NaN");
  EXPECT_EQ(option([&] {
              model(Tensor<Index, 2>({1, 901}));
            }),
            "LanguageModel: the number of tokens = 901 must be at most max_length = 900");
  EXPECT_EQ(option([&] { model.cache(1, 901); }),
            "LanguageModel: the number of tokens = 901 must be at most max_length = 900");
  attn::LanguageModelOptions options = gpt2(sizes);
  options.layer.separate_projections = true;
  EXPECT_EQ(option([&] { LanguageModel<float>{options}; }),
            "LanguageModel: separate_projections must be false for the names of gpt2");
  options = llama(sizes);
  options.layer.rotary->head_dim = 6;
  EXPECT_EQ(
      option([&] { LanguageModel<float>{options}; }),
      "MultiHeadAttention: rotary's head_dim = 6 must be that of the queries, 4, or left out");
  options.layer.rotary->head_dim = 4;
  options.layer.rotary->rotary_dim = 6;
  EXPECT_EQ(option([&] { LanguageModel<float>{options}; }),
            "Rotary: rotary_dim = 6 must be even, at least 2 and at most head_dim = 4");
}

TEST(LanguageModelErrors, LeaveTheCacheAsItWas) {
  const LanguageModel<float> model = made(llama(sizes));
  attn::Random random{8};
  const Tensor<Index, 2> tokens = drawn(random, 2, 9);
  const Tensor<float, 3> whole = model(tokens);
  Cache cache = model.cache(2, 9);
  model.step(tokens.slice(1, 0, 5).copy(), cache);
  Tensor<Index, 2> outside = tokens.slice(1, 5, 7).copy();
  outside(1, 1) = 30;
  EXPECT_THROW(model.step(outside, cache), attn::OptionError);
  EXPECT_THROW(model.step(tokens.slice(1, 0, 5).copy(), cache), attn::ShapeError);
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { model.step(tokens.slice(0, 0, 1).slice(1, 5, 6).copy(), cache); }),
            "LanguageModel: the number of sequences = 1 must be that of the cache, 2");
  Tensor<float, 3> wrong({2, 1, 31});
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { model.step_into(wrong, tokens.slice(1, 5, 6).copy(), cache); }),
            "LanguageModel: output (2, 1, 31) must have the shape (2, 1, 30)");
  EXPECT_EQ(cache.length(), 5);
  EXPECT_TRUE(
      same_bits(model.step(tokens.slice(1, 5, 9).copy(), cache), whole.slice(1, 5, 9).copy()));
}

}  // namespace
