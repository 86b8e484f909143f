#include <gtest/gtest.h>
#include <attn/nn/summary.hpp>

#include <sstream>

#include "support/expect_error.hpp"
#include "support/plain_transformer.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

Tensor<Index, 2> tokens(attn::Random& random, Index B, Index L, Index vocabulary) {
  Tensor<Index, 2> ids({B, L});
  for (Index i = 0; i < ids.size(); ++i) ids.data()[i] = random.index(vocabulary);
  return ids;
}

attn::TransformerOptions small() {
  return {.source_vocabulary = 11,
          .target_vocabulary = 9,
          .layer = {.d_model = 12, .nhead = 3, .dim_feedforward = 20},
          .num_encoder_layers = 2,
          .num_decoder_layers = 2};
}

TEST(Transformer, TurnsTokensIntoLogitsAsThePaperSays) {
  attn::Random random{31};
  for (const auto positions : {attn::PositionEncoding::sinusoidal, attn::PositionEncoding::learned})
    for (const bool share : {false, true})
      for (const bool tie : {false, true}) {
        attn::TransformerOptions options = small();
        options.positions = positions;
        options.max_length = 8;
        options.share_embeddings = share;
        options.tie_embeddings = tie;
        options.final_norm = tie;
        if (share) options.source_vocabulary = 9;
        attn::Transformer<double> model(options);
        randomize(model, random);
        const auto source = tokens(random, 2, 6, 9), target = tokens(random, 2, 5, 9);
        EXPECT_LT(largest_gap(model(source, target, attn::Padding{{6, 3}}),
                              plain::transformer(model, source, target, {6, 3})),
                  1e-11);
        EXPECT_EQ(model.parameters().front().name,
                  share ? "embedding.weight" : "source_embedding.weight");
        EXPECT_EQ(model.parameters().back().name, tie ? "decoder.norm.bias" : "output.bias");
      }
}

TEST(Transformer, LoadsWhatItSaves) {
  attn::Random random{32};
  attn::TransformerOptions options = small();
  options.tie_embeddings = true;
  options.positions = attn::PositionEncoding::learned;
  const attn::Transformer<float> model(options, random);
  attn::Transformer<float> copy(options);
  const auto source = tokens(random, 2, 6, 11), target = tokens(random, 2, 5, 9);
  const auto wanted = model(source, target), before = copy(source, target);
  copy.load_state_dict(model.state_dict());
  EXPECT_FALSE(same_bits(before, wanted));
  EXPECT_TRUE(same_bits(copy(source, target), wanted))
      << "the tied output layer has changed as well";
}

// [Vaswani17 Table 3]: parameters in millions, with one tied vocabulary of 41,000 (of "big"
// 36,000).
TEST(Transformer, HasThePapersNumbersOfParameters) {
  struct Row {
    const char* name;
    Index N, d_model, d_ff, h, vocabulary;
    std::optional<Index> d_k;
    Index millions;
  };
  for (const auto& [name, N, d_model, d_ff, h, vocabulary, d_k, millions] :
       {Row{"base", 6, 512, 2048, 8, 41000, {}, 65},
        {"(B) d_k 16", 6, 512, 2048, 8, 41000, 16, 58},
        {"(B) d_k 32", 6, 512, 2048, 8, 41000, 32, 60},
        {"(C) N 2", 2, 512, 2048, 8, 41000, {}, 36},
        {"(C) N 4", 4, 512, 2048, 8, 41000, {}, 50},
        {"(C) N 8", 8, 512, 2048, 8, 41000, {}, 80},
        {"(C) d_model 256", 6, 256, 2048, 8, 41000, {}, 28},
        {"(C) d_model 1024", 6, 1024, 2048, 8, 41000, {}, 168},
        {"(C) d_ff 1024", 6, 512, 1024, 8, 41000, {}, 53},
        {"(C) d_ff 4096", 6, 512, 4096, 8, 41000, {}, 90},
        {"big", 6, 1024, 4096, 16, 36000, {}, 213}}) {
    // Table 3 (C) changes d_k = d_v with d_model: 32 for 256, 128 for 1024.
    const attn::Transformer<float> model(
        {.source_vocabulary = vocabulary,
         .target_vocabulary = vocabulary,
         .layer = {.d_model = d_model, .nhead = h, .dim_feedforward = d_ff, .d_k = d_k},
         .num_encoder_layers = N,
         .num_decoder_layers = N,
         .share_embeddings = true,
         .tie_embeddings = true});
    Index count = 0;
    for (const auto& p : model.parameters()) count += Index(p.value.size());
    EXPECT_EQ((count + 500'000) / 1'000'000, millions) << name << ": " << count;
  }
}

/// Attends to other source positions at every step: a rule that decoding must not move.
struct Diagonal {
  bool allows(attn::Position at) const { return at.key != at.query; }
};

/// What greedy decoding is: the whole model on what has been written so far, and the best token,
/// until the end token.
template <class T>
Tensor<Index, 2> greedy(const attn::Transformer<T>& model, const Tensor<Index, 2>& source,
                        const std::vector<Index>& lengths, const attn::GenerateOptions& o) {
  Tensor<Index, 2> written({source.shape()[0], o.max_length});
  for (Index i = 0; i < written.size(); ++i) written.data()[i] = o.pad;
  for (Index b = 0; b < source.shape()[0]; ++b) {
    std::vector<Index> prefix{o.start};
    while (Index(prefix.size()) <= o.max_length) {
      Tensor<Index, 2> target({1, Index(prefix.size())});
      std::copy(prefix.begin(), prefix.end(), target.data());
      const auto logits =
          model(source.slice(0, b, b + 1).copy(), target, attn::Padding{{lengths[std::size_t(b)]}});
      Index best = 0;
      for (Index v = 0; v < logits.shape()[2]; ++v)
        if (logits(0, target.size() - 1, v) > logits(0, target.size() - 1, best)) best = v;
      written(b, target.size() - 1) = best;
      if (best == o.end) break;
      prefix.push_back(best);
    }
  }
  return written;
}

template <class T>
class Generate : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Generate, Scalars);

TYPED_TEST(Generate, StepByStepHasTheBitsOfTheWholeModel) {
  using T = TypeParam;
  attn::Random random{37};
  for (const bool tie : {false, true}) {
    attn::TransformerOptions options = small();
    options.tie_embeddings = tie;
    options.positions = tie ? attn::PositionEncoding::learned : attn::PositionEncoding::sinusoidal;
    attn::Transformer<T> model(options);
    randomize(model, random);
    const auto source = tokens(random, 3, 6, 11), target = tokens(random, 3, 8, 9);
    const auto rule = attn::combine(attn::Padding{{6, 1, 4}}, attn::Softcap{3}, Diagonal{});
    const auto whole = model(source, target, rule);
    auto steps = model.steps(model.encode(source, rule), rule, 8);
    for (Index l = 0; l < 8; ++l) {
      EXPECT_THROW(steps({0, 9, 0}, {1, 1, 1}), attn::OptionError);  // and changes nothing
      const Tensor<T, 2> logits = steps({target(0, l), target(1, l), target(2, l)}, {0, 1, 2});
      for (Index b = 0; b < 3; ++b)
        EXPECT_TRUE(same_bits(logits[b].copy(), whole[b][l].copy())) << b << " at " << l;
    }
  }
}

TYPED_TEST(Generate, GreedilyWritesWhatTheWholeModelWouldWrite) {
  using T = TypeParam;
  attn::Random random{33};
  Index ended = 0, cut = 0;
  for (int round = 0; round < 12; ++round) {
    attn::TransformerOptions options = small();
    options.tie_embeddings = round % 2 == 0;
    options.layer.norm_first = round % 3 == 0;
    if (round % 4 == 0) options.positions = attn::PositionEncoding::learned;
    attn::Transformer<T> model(options);
    randomize(model, random, 0.6);
    const auto source = tokens(random, 3, 6, 11);
    const std::vector<Index> lengths{6, 1, 4};
    const attn::GenerateOptions generate{.start = 1, .end = 2, .max_length = 7, .pad = -1};
    const auto written = model.generate(source, attn::Padding{lengths}, generate);
    EXPECT_EQ(written, greedy(model, source, lengths, generate));
    for (Index b = 0; b < 3; ++b) ++(written(b, 6) == -1 || written(b, 6) == 2 ? ended : cut);
  }
  EXPECT_GT(ended, 3);
  EXPECT_GT(cut, 3);
}

/// The log-probability of a sequence: Σ log softmax of the whole model's logits, in double.
template <class T>
double log_probability(const attn::Transformer<T>& model, const Tensor<Index, 2>& source,
                       Index start, const std::vector<Index>& written) {
  Tensor<Index, 2> target({1, Index(written.size())});
  for (Index i = 0; i < target.size(); ++i)
    target(0, i) = i == 0 ? start : written[std::size_t(i - 1)];
  const auto logits = model(source, target);
  double sum = 0;
  for (Index i = 0; i < target.size(); ++i) {
    double total = 0;
    for (Index v = 0; v < logits.shape()[2]; ++v) total += std::exp(double(logits(0, i, v)));
    sum += double(logits(0, i, written[std::size_t(i)])) - std::log(total);
  }
  return sum;
}

// A beam as wide as everything that can be written finds the best of it.
TYPED_TEST(Generate, ByABeamWideEnoughFindsTheBestSequence) {
  using T = TypeParam;
  attn::Random random{34};
  for (int round = 0; round < 6; ++round) {
    attn::TransformerOptions options = small();
    options.target_vocabulary = 3;
    attn::Transformer<T> model(options);
    randomize(model, random, 0.5);
    const auto source = tokens(random, 1, 6, 11);
    const double alpha = round % 2 == 0 ? 0.6 : 1.5;
    std::vector<Index> best;
    double best_score = -1e300;
    std::vector<std::vector<Index>> open{
        {}};  // every sequence of 0 and 1 that the end token, 2, ends after at most 4
    for (Index length = 1; length <= 4; ++length) {
      std::vector<std::vector<Index>> longer;
      for (const auto& prefix : open)
        for (const Index v : {0, 1, 2}) {
          auto next = prefix;
          next.push_back(v);
          if (v != 2) {
            longer.push_back(next);
            continue;
          }
          const double penalty = std::pow((5.0 + double(length)) / 6, alpha);
          const double score = log_probability(model, source, 1, next) / penalty;
          if (score <= best_score) continue;
          best = next;
          best_score = score;
        }
      open = longer;
    }
    best.resize(4, 0);
    const auto written = model.generate(
        source, {.start = 1, .end = 2, .max_length = 4, .num_beams = 40, .length_penalty = alpha});
    EXPECT_EQ(std::vector<Index>(written.data(), written.data() + 4), best) << round;
  }
}

TYPED_TEST(Generate, OfABatchWritesWhatEachSourceAloneWrites) {
  using T = TypeParam;
  attn::Random random{35};
  attn::Transformer<T> model(small());
  randomize(model, random, 0.5);
  const auto source = tokens(random, 4, 6, 11);
  const attn::GenerateOptions options{.start = 1, .end = 2, .max_length = 9, .num_beams = 4};
  const auto all = model.generate(source, attn::Padding{{6, 2, 5, 1}}, options);
  for (Index b = 0; b < 4; ++b) {
    const auto alone =
        model.generate(source.slice(0, b, b + 1).copy(),
                       attn::Padding{{std::vector<Index>{6, 2, 5, 1}[std::size_t(b)]}}, options);
    EXPECT_EQ(all[b].copy(), alone[0].copy());
  }
}

TEST(GenerateErrors, NameTheOptionAndWhatWasExpected) {
  attn::TransformerOptions options = small();
  options.positions = attn::PositionEncoding::learned;
  options.max_length = 5;
  const attn::Transformer<float> model(options);
  const Tensor<Index, 2> source({1, 3});
  const auto sentence = [&](const attn::GenerateOptions& o) {
    return sentence_of<attn::OptionError>([&] { (void)model.generate(source, o); });
  };
  EXPECT_EQ(sentence({.start = 9, .end = 2, .max_length = 5}),
            "generate: start = 9 must be at least 0 and below target_vocabulary = 9");
  EXPECT_EQ(sentence({.start = 1, .end = -2, .max_length = 5}),
            "generate: end = -2 must be at least 0 and below target_vocabulary = 9");
  EXPECT_EQ(sentence({.start = 1, .end = 2, .max_length = -1}),
            "generate: max_length = -1 must be at least 0");
  EXPECT_EQ(sentence({.start = 1, .end = 2, .max_length = 5, .num_beams = 0}),
            "generate: num_beams = 0 must be at least 1");
  EXPECT_NE(sentence({.start = 1, .end = 2, .max_length = 6}).find("LearnedPosition"),
            std::string::npos);
  EXPECT_EQ(model.generate(source, {.start = 1, .end = 2, .max_length = 0}).shape(),
            (attn::Shape<2>{1, 0}));
  Tensor<Index, 2> outside({1, 3});
  outside(0, 1) = 11;
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { (void)model(outside, source); }),
            "Embedding: token id 11 must be at least 0 and below the vocabulary's size, 11");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              (void)model(source, Tensor<Index, 2>({2, 3}));
            }),
            "Transformer: target (2, 3) must have the source's batch B = 1");
  options.share_embeddings = true;
  EXPECT_EQ(
      sentence_of<attn::OptionError>([&] { attn::Transformer<float> made(options); }),
      "Transformer: source_vocabulary = 11 must be target_vocabulary = 9 with share_embeddings");
}

TEST(Summary, NamesEveryLayerItsShapesAndCounts) {
  const attn::Transformer<float> model({.source_vocabulary = 1000,
                                        .target_vocabulary = 1000,
                                        .layer = {.d_model = 8, .nhead = 2, .dim_feedforward = 16},
                                        .num_encoder_layers = 1,
                                        .num_decoder_layers = 0,
                                        .share_embeddings = true,
                                        .tie_embeddings = true});
  EXPECT_EQ(attn::summary(model),
            "layer                                kind                parameters                   "
            "              count\n"
            "embedding                            Embedding           weight (1000, 8)             "
            "              8,000\n"
            "encoder.layers.0.self_attn           MultiHeadAttention  in_proj_weight (24, 8), "
            "in_proj_bias (24)    216\n"
            "encoder.layers.0.self_attn.out_proj  Linear              weight (8, 8), bias (8)      "
            "                 72\n"
            "encoder.layers.0.linear1             Linear              weight (16, 8), bias (16)    "
            "                144\n"
            "encoder.layers.0.linear2             Linear              weight (8, 16), bias (8)     "
            "                136\n"
            "encoder.layers.0.norm1               LayerNorm           weight (8), bias (8)         "
            "                 16\n"
            "encoder.layers.0.norm2               LayerNorm           weight (8), bias (8)         "
            "                 16\n"
            "total                                Transformer                                      "
            "              8,600\n");
  EXPECT_EQ(attn::summary(attn::Linear<float>({.in_features = 3, .out_features = 2})),
            "layer  kind    parameters               count\n"
            "       Linear  weight (2, 3), bias (2)      8\n"
            "total  Linear                               8\n");
}

}  // namespace
