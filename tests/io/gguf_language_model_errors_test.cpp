#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/io/language_model.hpp>
#include <bit>
#include <map>

#include "gguf_builder.hpp"

namespace {

using std::string, std::vector;

string text(const string& characters) { return gguf::u32(8) + gguf::text(characters); }
string u32(std::uint32_t value) { return gguf::u32(4) + gguf::u32(value); }
string i32(std::int32_t value) { return gguf::u32(5) + gguf::number(value); }
string f32(float value) { return gguf::u32(6) + gguf::u32(std::bit_cast<std::uint32_t>(value)); }
string boolean(bool value) { return gguf::u32(7) + string(1, value ? '\1' : '\0'); }
string array(const vector<std::uint32_t>& values) {
  string bytes = gguf::u32(9) + gguf::u32(4) + gguf::u64(values.size());
  for (const std::uint32_t value : values) bytes += gguf::u32(value);
  return bytes;
}

/// A GGUF file of the smallest Llama there is, which tests spoil: metadata without their prefix
/// "llama.", and the dimensions of tensors in the file's order.
struct Model {
  string architecture = "llama";
  std::map<string, string> metadata{{"block_count", u32(1)},
                                    {"context_length", u32(8)},
                                    {"embedding_length", u32(4)},
                                    {"feed_forward_length", u32(5)},
                                    {"attention.head_count", u32(2)},
                                    {"attention.head_count_kv", u32(1)},
                                    {"attention.layer_norm_rms_epsilon", f32(1e-5f)}};
  std::map<string, vector<std::uint64_t>> tensors{
      {"token_embd.weight", {4, 3}},   {"blk.0.attn_norm.weight", {4}},
      {"blk.0.attn_q.weight", {4, 4}}, {"blk.0.attn_k.weight", {4, 2}},
      {"blk.0.attn_v.weight", {4, 2}}, {"blk.0.attn_output.weight", {4, 4}},
      {"blk.0.ffn_norm.weight", {4}},  {"blk.0.ffn_gate.weight", {4, 5}},
      {"blk.0.ffn_up.weight", {4, 5}}, {"blk.0.ffn_down.weight", {5, 4}},
      {"output_norm.weight", {4}}};

  string bytes() const {
    gguf::File file;
    if (!architecture.empty())
      file.metadata = {gguf::metadata("general.architecture", 8, gguf::text(architecture))};
    for (const auto& [key, value] : metadata)
      file.metadata.push_back(gguf::text(architecture + "." + key) + value);
    for (const auto& [name, dimensions] : tensors) {
      std::uint64_t size = 4;
      for (const std::uint64_t extent : dimensions) size *= extent;
      file.data = (file.data + 31) / 32 * 32;
      file.tensors.push_back(gguf::tensor(name, dimensions, 0, file.data));
      file.data += size;
    }
    return file.bytes();
  }
};

class GgufLanguageModelErrors : public testing::Test {
 protected:
  string sentence(const Model& model) const {
    put(path, model.bytes());
    return sentence_of<attn::FileError>([&] { attn::load_language_model<float>(path); });
  }
  /// With a key of another value; without it, if the value is empty.
  void expect(const string& key, const string& value, const string& expected) const {
    SCOPED_TRACE(key);
    Model model;
    if (value.empty()) model.metadata.erase(key);
    else model.metadata[key] = value;
    EXPECT_EQ(sentence(model), expected);
  }

  TemporaryFolder folder;
  std::filesystem::path path = folder / "model.gguf";
  string where = "load_language_model: \"" + path.string() + "\": ";
  string file = "Gguf: \"" + path.string() + "\" has no ";
};

TEST_F(GgufLanguageModelErrors, TheFileThatIsSpoiledIsRightBefore) {
  put(path, Model().bytes());
  const auto loaded = attn::load_language_model<float>(path);
  EXPECT_EQ(loaded.options.vocabulary, 3);
  EXPECT_TRUE(loaded.options.tie_embeddings);
}

TEST_F(GgufLanguageModelErrors, OfTheArchitecture) {
  for (const char* other : {"gemma2", "phi3", "bert", "Llama", "mamba"})
    EXPECT_EQ(
        sentence({.architecture = other}),
        where + "general.architecture must be llama, qwen2, qwen3 or gpt2, not \"" + other + "\"");
  EXPECT_EQ(sentence({.architecture = "", .metadata = {}}),
            file + "metadata \"general.architecture\"");
  EXPECT_EQ(sentence({.tensors = {}}), where + "the file must have tensors, but has none");
}

TEST_F(GgufLanguageModelErrors, OfMetadataThatAreMissing) {
  for (const char* key :
       {"block_count", "context_length", "embedding_length", "feed_forward_length",
        "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    Model model;
    model.metadata.erase(key);
    const string name = "llama." + string(key);
    EXPECT_TRUE(sentence(model).starts_with(file + "metadata \"" + name + "\"")) << name;
  }
}

TEST_F(GgufLanguageModelErrors, OfMetadataThatAreNotSupported) {
  const auto metadata = [&](const string& key) {
    return "Gguf: metadata \"llama." + key + "\" of \"" + path.string() + "\" has the type ";
  };
  const string asked =
      string(", but was asked for as ") + (sizeof(attn::Index) == 8 ? "I64" : "I32");
  expect("attention.head_count_kv", array({1}),
         metadata("attention.head_count_kv") + "U32[1]" + asked);
  expect("feed_forward_length", array({5, 5}), metadata("feed_forward_length") + "U32[2]" + asked);
  expect("block_count", f32(1), metadata("block_count") + "F32" + asked);
  expect("context_length", text("8"), metadata("context_length") + "STRING" + asked);
  expect("rope.scaling.type", text("yarn"),
         where + "llama.rope.scaling.type must be none or linear, not \"yarn\"");
  expect(
      "rope.scaling.type", text("linear"),
      file + "metadata \"llama.rope.scaling.factor\"; the closest is \"llama.rope.scaling.type\"");
  expect("rope.dimension_count", u32(4),
         where + "llama.rope.dimension_count must be the head dimension, 2, not 4");
  expect("expert_count", u32(8),
         where + "llama.expert_count must be 0: a mixture of experts is not supported");
  expect("attention.causal", boolean(false), where + "llama.attention.causal must be true");
}

TEST_F(GgufLanguageModelErrors, OfYarnWhateverTheTensors) {
  Model model;
  model.metadata["rope.scaling.type"] = text("yarn");
  model.tensors["rope_freqs.weight"] = {1};
  EXPECT_EQ(sentence(model),
            where + "llama.rope.scaling.type must be none or linear, not \"yarn\"");
}

TEST_F(GgufLanguageModelErrors, OfSizesThatDoNotFit) {
  expect("attention.head_count", u32(3),
         where + "MultiHeadAttention: embed_dim = 4 must be a positive multiple of num_heads = 3");
  expect("attention.head_count", u32(0),
         where + "MultiHeadAttention: num_heads = 0 must be at least 1");
  expect("attention.head_count", i32(-2),
         where + "MultiHeadAttention: num_heads = -2 must be at least 1");
  expect("attention.head_count_kv", u32(3),
         where + "MultiHeadAttention: num_kv_heads = 3 must divide num_heads = 2");
  expect("attention.head_count_kv", u32(0),
         where + "MultiHeadAttention: num_kv_heads = 0 must divide num_heads = 2");
  expect("block_count", i32(-1), where + "LanguageModel: num_layers = -1 must be at least 0");
  expect("block_count", u32(2000000000),
         where +
             "LanguageModel: the number of elements of its parameters = 1.76e+11 must be about "
             "that of the weights, 132");
  expect("embedding_length", u32(0), where + "Embedding: embedding_dim = 0 must be at least 1");
  expect("feed_forward_length", i32(-5),
         where + "FeedForward: dim_feedforward = -5 must be at least 1");
  expect("context_length", u32(0), where + "LanguageModel: max_length = 0 must be at least 1");
  expect("attention.key_length", u32(3),
         where + "Rotary: head_dim = 3 must be even and at least 2");
  expect("attention.layer_norm_rms_epsilon", f32(-1),
         where + "RMSNorm: eps = -1 must be at least 0 and finite");
  expect("rope.freq_base", f32(0), where + "Rotary: base = 0 must be positive and finite");
  expect("rope.scale_linear", f32(0), where + "Rotary: factor = 0 must be positive and finite");
}

TEST_F(GgufLanguageModelErrors, OfTheTensors) {
  const string entries = where +
                         "LanguageModel: the state dict must have exactly this layer's entries; "
                         "missing: ";
  Model model;
  model.tensors.erase("token_embd.weight");
  EXPECT_EQ(sentence(model), file + "tensor \"token_embd.weight\"");
  model = {};
  model.tensors.erase("blk.0.ffn_up.weight");
  EXPECT_EQ(sentence(model),
            entries + "model.layers.0.mlp.up_proj.weight; unexpected: none; misshapen: none");
  model = {};
  model.tensors["blk.0.attn_q.bias"] = {4};
  EXPECT_EQ(sentence(model), entries +
                                 "none; unexpected: model.layers.0.self_attn.q_proj.bias; "
                                 "misshapen: none");
  model = {};
  model.tensors["blk.0.attn_k.weight"] = {4, 4};
  EXPECT_EQ(sentence(model), entries +
                                 "none; unexpected: none; misshapen: "
                                 "model.layers.0.self_attn.k_proj.weight (4, 4) instead of "
                                 "(2, 4)");
  model = {};
  model.tensors["rope_freqs.weight"] = {2};
  EXPECT_EQ(sentence(model),
            where + "Rotary: the number of divisors = 2 must be that of the pairs, 1");
}

}  // namespace
