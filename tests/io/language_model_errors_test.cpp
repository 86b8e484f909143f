#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/core/state_dict.hpp>
#include <attn/io/language_model.hpp>

namespace {

using attn::Index, std::string, std::vector;

/// What is spoiled, and the sentence that refuses it.
struct Refused {
  string name;
  std::function<void()> spoil;
  string sentence;  ///< after the path
};

constexpr const char* model = "model.safetensors";

/// Folders and GGUF files of the smallest models there are, which tests spoil.
class LoadLanguageModelErrors : public testing::Test {
 protected:
  LoadLanguageModelErrors() { std::filesystem::create_directory(folder); }

  // config.json
  void config(const string& text) const { put(folder / "config.json", text); }
  /// The configuration with a member changed; a member that is null is not there.
  void member(const string& key, const string& value) const {
    nlohmann::json changed = nlohmann::json::parse(base);
    changed[key] = nlohmann::json::parse(value);
    config(changed.dump());
  }
  void without(const string& key) const {
    nlohmann::json changed = nlohmann::json::parse(base);
    changed.erase(key);
    config(changed.dump());
  }

  // The weights
  static vector<std::pair<string, vector<Index>>> tensors() {
    const string layer = "model.layers.0.";
    return {{"model.embed_tokens.weight", {3, 4}},
            {layer + "input_layernorm.weight", {4}},
            {layer + "self_attn.q_proj.weight", {4, 4}},
            {layer + "self_attn.k_proj.weight", {2, 4}},
            {layer + "self_attn.v_proj.weight", {2, 4}},
            {layer + "self_attn.o_proj.weight", {4, 4}},
            {layer + "post_attention_layernorm.weight", {4}},
            {layer + "mlp.gate_proj.weight", {5, 4}},
            {layer + "mlp.up_proj.weight", {5, 4}},
            {layer + "mlp.down_proj.weight", {4, 5}},
            {"model.norm.weight", {4}},
            {"lm_head.weight", {3, 4}}};
  }
  using Tensors = vector<std::pair<string, vector<Index>>>;
  void weights(const Tensors& entries, const string& file = model) const {
    attn::StateDict<float> state;
    for (const auto& [name, shape] : entries)
      state.set(name, shape,
                vector<float>(static_cast<std::size_t>(attn::checked_size(shape)), 0.5f));
    std::filesystem::remove(folder / file);
    attn::save_safetensors(folder / file, state);
  }
  /// The weights with the shape of one changed, or one more; without it if it has no axes.
  void tensor(const string& name, const vector<Index>& shape) const {
    Tensors entries = tensors();
    std::erase_if(entries, [&](const auto& entry) { return entry.first == name; });
    if (!shape.empty()) entries.emplace_back(name, shape);
    weights(entries);
  }
  void index(const string& text) const {
    std::filesystem::remove(folder / model);
    put(folder / "model.safetensors.index.json", text);
  }

  void reset() const {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    config(base);
    weights(tensors());
  }
  string sentence() const {
    return sentence_of<attn::FileError>([&] { attn::load_language_model<float>(folder); });
  }
  /// The sentence of each begins with the function and this path.
  void expect(const vector<Refused>& all, const string& function,
              const std::filesystem::path& path) const {
    for (const auto& [name, spoil, rest] : all) {
      SCOPED_TRACE(name);
      reset();
      spoil();
      EXPECT_EQ(sentence(), function + ": \"" + path.string() + "\"" + rest);
    }
  }

  static constexpr const char* base = R"({"model_type": "llama", "vocab_size": 3, "hidden_size": 4,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 5,
    "num_hidden_layers": 1, "max_position_embeddings": 8})";
  TemporaryFolder temporary;
  std::filesystem::path folder = temporary / "model";
};

TEST_F(LoadLanguageModelErrors, TheFolderThatIsSpoiledIsRightBefore) {
  reset();
  const auto loaded = attn::load_language_model<float>(folder);
  EXPECT_EQ(loaded.options.vocabulary, 3);
  EXPECT_EQ(loaded.options.layer.layer_norm_eps, 1e-6);
}

TEST_F(LoadLanguageModelErrors, OfConfigJson) {
  const auto key = [&](const char* name, const char* value) {
    return [this, name, value] { member(name, value); };
  };
  const auto no = [&](const char* name) { return [this, name] { without(name); }; };
  const string rope = "rope_scaling.rope_type must be default, linear or llama3, not ";
  expect(
      {{"empty", [&] { config(""); }, " must be JSON in UTF-8, which it is not at its byte 1"},
       {"cut", [&] { config("{\"a\": "); },
        " must be JSON in UTF-8, which it is not at its byte 7"},
       {"an array", [&] { config("[]"); }, ": the file must be an object, not an array"},
       {"a key twice", [&] { config("{\"a\": 1, \"a\": 2}"); },
        " has the key \"a\" twice in one object"},
       {"no type", no("model_type"), ": the file has no key \"model_type\""},
       {"a type that is a number", key("model_type", "3"), ": model_type must be a string, not 3"},
       {"another type", key("model_type", "\"gemma2\""),
        ": model_type must be llama, mistral, qwen2, qwen3 or gpt2, not \"gemma2\""},
       {"no vocabulary", no("vocab_size"), ": the file has no key \"vocab_size\""},
       {"no width", no("hidden_size"), ": the file has no key \"hidden_size\""},
       {"no heads", no("num_attention_heads"), ": the file has no key \"num_attention_heads\""},
       {"no layers", no("num_hidden_layers"), ": the file has no key \"num_hidden_layers\""},
       {"no context", no("max_position_embeddings"),
        ": the file has no key \"max_position_embeddings\""},
       {"a null size", key("hidden_size", "null"),
        ": hidden_size must be a non-negative integer, not null"},
       {"a negative size", key("hidden_size", "-4"),
        ": hidden_size must be a non-negative integer, not -4"},
       {"a fraction", key("num_hidden_layers", "1.5"),
        ": num_hidden_layers must be a non-negative integer, not 1.5"},
       {"a text", key("intermediate_size", "\"5\""),
        ": intermediate_size must be a non-negative integer, not \"5\""},
       {"2^64 - 1", key("vocab_size", "18446744073709551615"),
        ": vocab_size must be a non-negative integer, not 18446744073709551615"},
       {"heads of each layer", key("num_key_value_heads", "[1]"),
        ": num_key_value_heads must be a non-negative integer, not an array"},
       {"an activation", key("hidden_act", "\"gelu\""), ": hidden_act must be silu, not \"gelu\""},
       {"biases of attention", key("attention_bias", "true"),
        ": attention_bias must be false, not true"},
       {"biases of the network", key("mlp_bias", "true"), ": mlp_bias must be false, not true"},
       {"a flag that is a number", key("mlp_bias", "0"), ": mlp_bias must be true or false, not 0"},
       {"a window", key("use_sliding_window", "true"),
        ": use_sliding_window must be false, not true"},
       {"rotated in part", key("partial_rotary_factor", "0.5"),
        ": partial_rotary_factor must be 1, not 0.5"},
       {"quantized", key("quantization_config", "{}"), ": quantization_config is not supported"},
       {"eps that is a text", key("rms_norm_eps", "\"1e-5\""),
        ": rms_norm_eps must be a number, not \"1e-5\""},
       {"yarn", key("rope_scaling", R"({"rope_type": "yarn", "factor": 4})"),
        ": " + rope + "\"yarn\""},
       {"dynamic", key("rope_scaling", R"({"type": "dynamic", "factor": 4})"),
        ": rope_scaling.type must be default, linear or llama3, not \"dynamic\""},
       {"longrope", key("rope_parameters", R"({"rope_type": "longrope"})"),
        ": rope_parameters.rope_type must be default, linear or llama3, not \"longrope\""},
       {"linear without a factor", key("rope_scaling", R"({"rope_type": "linear"})"),
        ": rope_scaling has no key \"factor\""},
       {"llama3 without a factor", key("rope_scaling", R"({"rope_type": "llama3", "factor": 8})"),
        ": rope_scaling has no key \"low_freq_factor\""},
       {"scaling that is a number", key("rope_scaling", "2"),
        ": rope_scaling must be an object, not 2"},
       {"Mistral without its window", key("model_type", "\"mistral\""),
        ": the file has no key \"sliding_window\""},
       {"GPT-2 without its sizes", key("model_type", "\"gpt2\""),
        ": the file has no key \"n_embd\""},
       {"GPT-2 of another activation",
        [&] {
          config(R"({"model_type": "gpt2", "vocab_size": 3, "n_embd": 4, "n_head": 2, "n_layer": 1,
                     "n_positions": 8, "activation_function": "relu"})");
        },
        ": activation_function must be gelu_new, not \"relu\""},
       {"GPT-2 of scaled layers",
        [&] {
          config(R"({"model_type": "gpt2", "vocab_size": 3, "n_embd": 4, "n_head": 2, "n_layer": 1,
                     "n_positions": 8, "scale_attn_by_inverse_layer_idx": true})");
        },
        ": scale_attn_by_inverse_layer_idx must be false, not true"}},
      "load_language_model", folder / "config.json");
}

TEST_F(LoadLanguageModelErrors, OfSizesThatDoNotFit) {
  const auto key = [&](const char* name, const char* value) {
    return [this, name, value] { member(name, value); };
  };
  const string entries =
      ": LanguageModel: the state dict must have exactly this layer's entries; missing: ";
  const string up = "model.layers.0.mlp.up_proj.weight";
  const string elements = ": LanguageModel: the number of elements of its parameters = ";
  expect(
      {{"a tensor is missing", [&] { tensor(up, {}); },
        entries + up + "; unexpected: none; misshapen: none"},
       {"an unexpected tensor", [&] { tensor("model.layers.0.mlp.up_proj.bias", {5}); },
        entries + "none; unexpected: model.layers.0.mlp.up_proj.bias; misshapen: none"},
       {"a misshapen tensor",
        [&] {
          tensor(up, {4, 5});
        },
        entries + "none; unexpected: none; misshapen: " + up + " (4, 5) instead of (5, 4)"},
       {"another vocabulary", key("vocab_size", "4"),
        entries + "none; unexpected: none; misshapen: model.embed_tokens.weight (3, 4) instead "
                  "of (4, 4), lm_head.weight (3, 4) instead of (4, 4)"},
       {"a vocabulary without end", key("vocab_size", "2000000000"),
        elements + "8e+09 must be about that of the weights, 144"},
       {"layers without end", key("num_hidden_layers", "2000000000"),
        elements + "1.76e+11 must be about that of the weights, 144"},
       {"heads that do not divide", key("num_attention_heads", "3"),
        ": MultiHeadAttention: embed_dim = 4 must be a positive multiple of num_heads = 3"},
       {"groups that do not divide", key("num_key_value_heads", "3"),
        ": MultiHeadAttention: num_kv_heads = 3 must divide num_heads = 2"},
       {"no heads at all", key("num_attention_heads", "0"),
        ": MultiHeadAttention: num_heads = 0 must be at least 1"},
       {"an odd head dimension", key("head_dim", "3"),
        ": Rotary: head_dim = 3 must be even and at least 2"},
       {"no context", key("max_position_embeddings", "0"),
        ": LanguageModel: max_length = 0 must be at least 1"},
       {"eps below zero", key("rms_norm_eps", "-1"),
        ": RMSNorm: eps = -1 must be at least 0 and finite"},
       {"a base of zero", key("rope_theta", "0"), ": Rotary: base = 0 must be positive and finite"},
       {"a factor of zero", key("rope_scaling", R"({"type": "linear", "factor": 0})"),
        ": Rotary: factor = 0 must be positive and finite"},
       {"a width of zero", key("hidden_size", "0"),
        ": Embedding: embedding_dim = 0 must be at least 1"},
       {"a network of zero", key("intermediate_size", "0"),
        ": FeedForward: dim_feedforward = 0 must be at least 1"}},
      "load_language_model", folder);
}

TEST_F(LoadLanguageModelErrors, OfTheWeights) {
  expect({{"not JSON", [&] { index("weight_map"); },
           " must be JSON in UTF-8, which it is not at its byte 1"},
          {"no map", [&] { index("{}"); }, ": the file has no key \"weight_map\""},
          {"a map that is an array", [&] { index(R"({"weight_map": []})"); },
           ": weight_map must be an object, not an array"},
          {"a file that is a number", [&] { index(R"({"weight_map": {"a": 1}})"); },
           ": weight_map[\"a\"] must be a string, not 1"},
          {"a file outside", [&] { index(R"({"weight_map": {"a": "../model.safetensors"}})"); },
           ": weight_map[\"a\"] must be the name of a file in the same folder, not "
           "\"../model.safetensors\""},
          {"an absolute path", [&] { index(R"({"weight_map": {"a": "/tmp/a"}})"); },
           ": weight_map[\"a\"] must be the name of a file in the same folder, not \"/tmp/a\""},
          {"no name", [&] { index(R"({"weight_map": {"a": ""}})"); },
           ": weight_map[\"a\"] must be the name of a file in the same folder, not \"\""},
          {"a tensor that no file has",
           [&] {
             weights(tensors(), "one");
             index(R"({"weight_map": {"lm_head.weight": "one", "other": "one"}})");
           },
           ": weight_map[\"other\"] names the file \"one\", which has no such tensor"},
          {"a tensor in another file",
           [&] {
             weights({{"a", {1}}}, "one");
             weights({{"b", {1}}}, "two");
             index(R"({"weight_map": {"a": "one", "b": "one", "c": "two"}})");
           },
           ": weight_map[\"b\"] names the file \"one\", which has no such tensor"}},
         "load_safetensors_folder", folder / "model.safetensors.index.json");
}

TEST_F(LoadLanguageModelErrors, OfFilesThatAreNotThere) {
  reset();
  std::filesystem::remove(folder / model);
  EXPECT_EQ(sentence(), "load_safetensors_folder: the folder \"" + folder.string() +
                            "\" must have a file model.safetensors or "
                            "model.safetensors.index.json");
  index(R"({"weight_map": {"a": "one"}})");
  EXPECT_EQ(sentence(), "load_safetensors: cannot read \"" + (folder / "one").string() +
                            "\": No such file or directory");
  weights(tensors(), "one");
  weights({{"lm_head.weight", {3, 4}}}, "two");
  index(R"({"weight_map": {"a": "one", "b": "two"}})");
  EXPECT_EQ(sentence(), "ShardedSafeTensors: \"" + (folder / "two").string() +
                            "\" has an entry \"lm_head.weight\", which \"" +
                            (folder / "one").string() + "\" has too");
  std::filesystem::remove(folder / "config.json");
  EXPECT_EQ(sentence(), "load_language_model: the folder \"" + folder.string() +
                            "\" must have a file config.json");
  const auto nothing = temporary / "nothing";
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_language_model<float>(nothing); }),
            "load_gguf: cannot read \"" + nothing.string() + "\": No such file or directory");
}

TEST_F(LoadLanguageModelErrors, AreThoseOfAValueThatFloatCannotHold) {
  reset();
  attn::StateDict<double> state;
  for (const auto& [name, shape] : tensors())
    state.set(name, shape,
              vector<double>(static_cast<std::size_t>(attn::checked_size(shape)), 1e300));
  std::filesystem::remove(folder / model);
  attn::save_safetensors(folder / model, state);
  EXPECT_EQ(sentence(),
            "SafeTensors: \"model.embed_tokens.weight\" of \"" + (folder / model).string() +
                "\" has the F64 1.0000000000000001e+300 at index 0, which F32 cannot hold");
}

}  // namespace
