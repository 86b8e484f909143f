#include <gmock/gmock.h>

#include <attn/io/language_model.hpp>
#include <attn/nn/summary.hpp>
#include <filesystem>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

// Against what Hugging Face's transformers computes in float64: see
// tests/data/make_language_model_folders.py.

namespace {

using attn::Index, attn::Tensor, std::string, std::vector;
namespace fs = std::filesystem;

const fs::path models = fs::path(ATTN_TESTS_DATA) / "language_models";

/// Every model: the name of a folder, or of a GGUF file.
vector<string> names() {
  vector<string> result;
  for (const auto& file : fs::directory_iterator(models / "expected"))
    result.push_back(file.path().stem().string());
  std::sort(result.begin(), result.end());
  return result;
}

class PublishedModel : public testing::TestWithParam<string> {
 protected:
  attn::SafeTensors expected =
      attn::load_safetensors(models / "expected" / (GetParam() + ".safetensors"));
  Tensor<Index, 2> tokens = expected.get<Index, 2>("tokens");
  Tensor<double, 3> logits = expected.get<double, 3>("logits");
};

TEST_P(PublishedModel, HasTheLogitsOfTransformers) {
  const auto model = attn::load_language_model<double>(models / GetParam());
  EXPECT_LT(largest_gap(model(tokens), logits), 1e-9);
}

TEST_P(PublishedModel, IsReadAsFloat) {
  const auto model = attn::load_language_model<float>(models / GetParam());
  EXPECT_LT(largest_gap(model(tokens), logits), 1e-4);
}

TEST_P(PublishedModel, ReportsWhatItHasReadUpToOne) {
  vector<double> reports;
  const auto model = attn::load_language_model<float>(
      models / GetParam(), {.keep_storage = false,
                            .on_progress = [&](double fraction) { reports.push_back(fraction); }});
  EXPECT_EQ(std::ssize(reports), std::ssize(model.parameters()));
  EXPECT_TRUE(std::is_sorted(reports.begin(), reports.end()));
  EXPECT_GT(reports.front(), 0);
  EXPECT_EQ(reports.back(), 1);
}

INSTANTIATE_TEST_SUITE_P(Files, PublishedModel, testing::ValuesIn(names()), [](const auto& one) {
  string name = one.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

TEST(LoadLanguageModel, KnowsEveryKindOfFile) {
  EXPECT_THAT(names(),
              testing::IsSupersetOf({"llama", "llama.gguf", "llama_3", "llama_3.gguf", "llama_3_5",
                                     "llama_linear", "llama_linear.gguf", "llama_q8_0.gguf",
                                     "llama_sharded", "mistral", "mistral_5", "qwen2", "qwen2.gguf",
                                     "qwen2_5", "qwen3", "qwen3.gguf", "gpt2", "gpt2.gguf"}));
}

TEST_P(PublishedModel, ComputesBitwiseTheSameWithTheWeightsAsTheyAreStored) {
  const auto stored = attn::load_language_model<float>(models / GetParam());
  const auto converted =
      attn::load_language_model<float>(models / GetParam(), {.keep_storage = false});
  EXPECT_TRUE(same_bits(stored(tokens), converted(tokens)));
  EXPECT_EQ(stored.num_parameters(), converted.num_parameters());
}

TEST(LoadLanguageModel, KeepsTheWeightsOfAGgufFile) {
  const auto model = attn::load_language_model<float>(models / "llama_q8_0.gguf");
  EXPECT_EQ(model.embedding.weight.storage(), attn::Storage::int8);
  EXPECT_EQ(model.encoder.layers[0].self_attn.k_proj_weight->storage(), attn::Storage::int8);
  EXPECT_THAT(attn::summary(model), testing::HasSubstr("int8"));
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { model.state_dict(); }),
            "Parameter: a weight that is stored as int8 is for inference, and cannot be read, "
            "changed or trained; a model that is loaded with keep_storage = false can");
}

/// A copy of a folder of F32 with its values rounded to 16 bits.
template <class Stored>
void save_rounded(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  fs::copy_file(from / "config.json", to / "config.json");
  const attn::SafeTensors file = attn::load_safetensors(from / "model.safetensors");
  attn::SafeTensorsWriter writer;
  vector<vector<Stored>> rounded;
  for (const string& name : file.names()) {
    const vector<float> values = file.values<float>(name);
    rounded.emplace_back();
    for (const float value : values) rounded.back().push_back(static_cast<Stored>(value));
    writer.add(name, file.shape(name), std::span<const Stored>(rounded.back()));
  }
  writer.save(to / "model.safetensors", {}, "save_rounded");
}
void expect_kept(const fs::path& folder, attn::Storage storage) {
  const auto kept = attn::load_language_model<float>(folder);
  const auto converted = attn::load_language_model<float>(folder, {.keep_storage = false});
  EXPECT_EQ(kept.embedding.weight.storage(), storage);
  EXPECT_EQ(kept.encoder.layers[0].feed_forward.linear1.weight.storage(), storage);
  EXPECT_FALSE(converted.embedding.weight.storage());
  Tensor<Index, 2> tokens({1, 5});
  for (Index i = 0; i < 5; ++i) tokens(0, i) = 3 * i;
  EXPECT_TRUE(same_bits(kept(tokens), converted(tokens)));
}
TEST(LoadLanguageModel, KeepsTheWeightsOfAFolder) {
  const TemporaryFolder folder;
  for (const string name : {"llama", "gpt2"}) {
    expect_kept(models / name, attn::Storage::float32);
    expect_kept(models / (name + ".gguf"), attn::Storage::float32);
  }
  for (const string name : {"llama", "gpt2", "qwen3"}) {
    save_rounded<attn::bfloat16>(models / name, folder / (name + "_bfloat16"));
    expect_kept(folder / (name + "_bfloat16"), attn::Storage::bfloat16);
    save_rounded<attn::float16>(models / name, folder / (name + "_float16"));
    expect_kept(folder / (name + "_float16"), attn::Storage::float16);
  }
}

TEST(LoadLanguageModel, RoundsActivationsIfAsked) {
  const attn::SafeTensors expected =
      attn::load_safetensors(models / "expected" / "llama_q8_0.gguf.safetensors");
  const auto tokens = expected.get<Index, 2>("tokens");
  auto model = attn::load_language_model<float>(models / "llama_q8_0.gguf");
  const auto rounded = attn::load_language_model<float>(models / "llama_q8_0.gguf",
                                                        {.activations = attn::Storage::int8});
  EXPECT_FALSE(same_bits(model(tokens), rounded(tokens)));
  model.round_activations(attn::Storage::int8);
  EXPECT_TRUE(same_bits(model(tokens), rounded(tokens)));
  EXPECT_EQ(sentence_of<attn::OptionError>([&] {
              attn::load_language_model<float>(models / "llama_q8_0.gguf",
                                               {.activations = attn::Storage::int4});
            }),
            "round_activations: storage = int4 must be int8");
}

TEST(LoadLanguageModel, AFolderAndItsGgufFileHaveTheSameParameters) {
  for (const char* name : {"llama", "qwen2", "qwen3", "gpt2"}) {
    const auto folder = attn::load_language_model<double>(models / name, {.keep_storage = false});
    const auto file = attn::load_language_model<double>(models / (string(name) + ".gguf"),
                                                        {.keep_storage = false});
    const auto one = folder.parameters(), other = file.parameters();
    ASSERT_EQ(one.size(), other.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_EQ(one[i].name, other[i].name);
      EXPECT_TRUE(std::ranges::equal(one[i].value, other[i].value)) << name << ": " << one[i].name;
    }
  }
}

TEST(LoadLanguageModel, IsSavedUnderTheNamesOfTheFolder) {
  for (const char* name : {"llama", "gpt2"}) {
    const auto model = attn::load_language_model<float>(models / name, {.keep_storage = false});
    const auto state = model.state_dict();
    const attn::SafeTensors stored = attn::load_safetensors(models / name / "model.safetensors");
    EXPECT_THAT(state.names(), testing::UnorderedElementsAreArray(stored.names()));
    for (const string& tensor : stored.names())
      EXPECT_THAT(state.values(tensor), testing::ElementsAreArray(stored.values<float>(tensor)));
  }
}

}  // namespace
