#include "examples/date_model.hpp"

#include <gmock/gmock.h>

#include "examples/cross_attention.hpp"
#include "examples/date_map.hpp"
#include "examples/dates.hpp"
#include "examples/save_half.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

using attn::Index, attn::Tensor;

namespace {

/// The initial biases and norms would hide mistakes.
void disturb(DateModel& model, attn::Random& random) {
  for (const auto& parameter : model.parameters())
    for (float& value : parameter.edit()) value += 0.1f * random.normal<float>();
}

DateModel untrained() {
  attn::Random random{3};
  DateModel model(date_model_options(), random);
  disturb(model, random);
  return model;
}

}  // namespace

TEST(DateModel, HasAtMostSixHundredKilobytesInHalfPrecision) {
  const TemporaryFolder folder;
  const DateModel model = untrained();
  save_half(model, folder / "model.safetensors");
  EXPECT_LE(std::filesystem::file_size(folder / "model.safetensors"), 600'000u);
  const DateModel copy = load_date_model(folder / "model.safetensors");
  const auto original = model.parameters(), halved = copy.parameters();
  for (std::size_t i = 0; i < original.size(); ++i)
    for (std::size_t j = 0; j < original[i].value.size(); ++j)
      ASSERT_NEAR(halved[i].value[j], original[i].value[j],
                  1e-6 + 1e-3 * double(std::abs(original[i].value[j])));
}

TEST(DateModel, NamesWhatAFileLacks) {
  const TemporaryFolder folder;
  attn::Tensor<float, 1> weight({3});
  attn::SafeTensorsWriter{}.add("weight", weight).save(folder / "other.safetensors");
  EXPECT_THAT(sentence_of<attn::ShapeError>([&] { load_date_model(folder / "other.safetensors"); }),
              testing::HasSubstr("missing: embedding.weight"));
}

TEST(CrossAttention, IsThatOfTheModelsOwnLogits) {
  for (const bool norm_first : {false, true}) {
    attn::TransformerOptions options = date_model_options();
    options.num_decoder_layers = 2;
    options.layer.norm_first = norm_first;
    options.final_norm = norm_first;
    attn::Random random{4};
    DateModel model(options, random);
    disturb(model, random);

    const date_letters::Texts texts({"Thursday, 5 March 1998", "5/3/1998"});
    const date_letters::IsoTargets targets({"1998-03-05", "2012-12-21"});
    const Tensor<float, 3> expected = model(texts.tokens, targets.in, texts.padding());
    const CrossAttention got = cross_attention(model, texts.tokens, targets.in, texts.padding());
    ASSERT_EQ(got.logits.shape(), expected.shape());
    EXPECT_LT((got.logits.flat() - expected.flat()).cwiseAbs().maxCoeff(), 1e-4f);

    ASSERT_EQ(got.weights.size(), 2u);
    for (const auto& weights : got.weights) {
      ASSERT_EQ(weights.shape(), (attn::Shape<4>{2, 4, 11, 22}));
      for (Index b = 0; b < 2; ++b)
        for (Index h = 0; h < 4; ++h)
          for (Index i = 0; i < 11; ++i) {
            EXPECT_NEAR(weights.matrix(b, h).row(i).sum(), 1, 1e-5);
            EXPECT_EQ(weights.matrix(b, h).row(i).tail(b == 0 ? 0 : 14).sum(), 0);
          }
    }
  }
}

TEST(CrossAttention, OfADateMapsLettersToLetters) {
  const DateModel model = untrained();
  const DateMap map = date_map(model, "5 Mar 1998");
  EXPECT_EQ(map.written, write_iso(model, {"5 mar 1998"}).front());
  EXPECT_EQ(map.weights.shape(), (attn::Shape<2>{static_cast<Index>(map.written.size()), 10}));
}

TEST(DateModel, ThatShipsWritesHeldOutDates) {
  const DateModel model = load_date_model(ATTN_EXAMPLES_DATA "/dates.safetensors");
  attn::Random random{11};
  std::vector<std::string> texts, isos;
  for (const Date date : DateSplit().held_out) {
    texts.push_back(written(date, random));
    isos.push_back(iso(date));
  }
#ifndef __OPTIMIZE__
  // A build without optimization, such as the sanitizers', is slow.
  texts.resize(100);
  isos.resize(100);
#endif
  const std::vector<std::string> got = write_iso(model, texts);
  Index right = 0;
  for (std::size_t i = 0; i < got.size(); ++i) right += got[i] == isos[i];
  EXPECT_GE(right, 99 * std::ssize(got) / 100) << "of " << got.size();
}

TEST(CrossAttention, OfTheModelThatShipsIsOnTheLettersThatItWrites) {
  const DateModel model = load_date_model(ATTN_EXAMPLES_DATA "/dates.safetensors");
  const DateMap map = date_map(model, "12 June 2017");
  ASSERT_EQ(map.written, "2017-06-12");
  const auto attended = [&](Index row, Index begin, Index end) {
    return map.weights.matrix().row(row).segment(begin, end - begin).sum();
  };
  EXPECT_GT(attended(2, 8, 12), 0.8f) << "the year's last digits, at the year";
  EXPECT_GT(attended(3, 8, 12), 0.8f);
  EXPECT_GT(attended(5, 3, 7), 0.8f) << "the month's, at its letters";
  EXPECT_GT(attended(6, 3, 7), 0.8f);
  EXPECT_GT(attended(8, 0, 2), 0.8f) << "the day's, at the day";
  EXPECT_GT(attended(9, 0, 2), 0.8f);
}
