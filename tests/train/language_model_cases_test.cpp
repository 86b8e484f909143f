// Language models against what Hugging Face's transformers computes in float64: see
// data/make_language_model_cases.py.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>

#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor, std::string, std::vector;

const attn::SafeTensors& cases() {
  static const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/language_model_cases.safetensors");
  return file;
}

/// The entries of a case below a name, `weights` for example.
class Entries {
 public:
  explicit Entries(string prefix) : prefix_(std::move(prefix)) {}

  vector<string> names() const {
    vector<string> result;
    for (const string& name : cases().names())
      if (name.starts_with(prefix_)) result.push_back(name.substr(prefix_.size()));
    return result;
  }
  vector<Index> shape(const string& name) const { return cases().shape(prefix_ + name); }
  void read(const string& name, std::span<double> to) const { cases().read(prefix_ + name, to); }

 private:
  string prefix_;
};

struct Case {
  const char* name;
  attn::LanguageModelOptions options;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr attn::LanguageModelSizes sizes{.vocabulary = 40,
                                         .d_model = 16,
                                         .nhead = 4,
                                         .num_kv_heads = 2,
                                         .dim_feedforward = 24,
                                         .num_layers = 2,
                                         .max_length = 64};

vector<Case> all_cases() {
  vector<Case> all;
  const auto add = [&](const char* name, attn::LanguageModelOptions options, auto&& change) {
    options.layer.layer_norm_eps = options.names == attn::ParameterNames::gpt2 ? 1e-5 : 1e-6;
    change(options);
    all.push_back({name, options});
  };
  add("llama", llama(sizes), [](auto&) {});
  add("llama_untied", llama(sizes), [](auto& o) {
    o.tie_embeddings = false;
    o.layer.num_kv_heads.reset();
    o.layer.rotary->base = 500;
  });
  add("llama_linear", llama(sizes),
      [](auto& o) { o.layer.rotary->scaling = attn::LinearScaling{2.5}; });
  add("llama_3", llama(sizes), [](auto& o) {
    o.layer.rotary->base = 100;
    o.layer.rotary->scaling = attn::Llama3Scaling{.factor = 4, .original_max_length = 16};
  });
  add("qwen2", qwen2(sizes), [](auto& o) { o.layer.rotary->base = 10000; });
  add("qwen3", llama(sizes), [](auto& o) {
    o.layer.d_k = 8;
    o.layer.d_v = 8;
    o.layer.qk_norm_eps = 1e-6;
  });
  add("mistral", llama(sizes), [](auto& o) {
    o.tie_embeddings = false;
    o.sliding_window = 5;
  });
  add("gpt2", gpt2(sizes), [](auto& o) { o.layer.num_kv_heads.reset(); });
  return all;
}

class LanguageModelCases : public testing::TestWithParam<Case> {
 protected:
  LanguageModelCases() : model(GetParam().options) { model.load_state_dict(entries("weights/")); }

  static Entries entries(const string& below) {
    return Entries(string(GetParam().name) + "/" + below);
  }
  template <class U, int N>
  static Tensor<U, N> get(const char* what) {
    return cases().get<U, N>(string(GetParam().name) + "/" + what);
  }

  attn::LanguageModel<double> model;
  const Tensor<Index, 2> tokens = get<Index, 2>("tokens");
};

TEST_P(LanguageModelCases, LogitsAreThoseOfTransformers) {
  EXPECT_LT(largest_gap(model(tokens), get<double, 3>("logits")), 1e-9);
}

TEST_P(LanguageModelCases, GradientsAreThoseOfTransformers) {
  attn::Random random{1};
  attn::Tape<double> tape{random};
  const Index L = tokens.shape()[1];
  const auto loss = attn::cross_entropy(model(tape, tokens.slice(1, 0, L - 1).copy()),
                                        tokens.slice(1, 1, L).copy());
  EXPECT_NEAR(loss.value()(0), (get<double, 1>("loss")(0)), 1e-12);
  tape.backward(loss);
  const Entries gradients = entries("gradients/");
  const attn::detail::LanguageModelSource<double, Entries> wanted(gradients, model.options, "");
  Index compared = 0;
  for (const auto& p : model.parameters()) {
    vector<double> expected(p.value.size());
    wanted.read(p.name, expected);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(p.grad.values()[i], expected[i], 1e-9) << p.name << " " << i;
    ++compared;
  }
  EXPECT_EQ(compared, std::ssize(wanted.names()));
}

TEST_P(LanguageModelCases, GreedyTokensAreThoseOfTransformers) {
  const vector<Index> all = cases().values<Index>(string(GetParam().name) + "/greedy");
  const vector<Index> prompt(all.begin(), all.begin() + 6);
  EXPECT_EQ(model.generate(prompt, {.max_new_tokens = 20}),
            vector<Index>(all.begin() + 6, all.end()));
}

TEST_P(LanguageModelCases, StateDictHasTheNamesAndShapesOfTransformers) {
  const auto state = model.state_dict();
  vector<string> names = state.names();
  std::sort(names.begin(), names.end());
  const Entries weights = entries("weights/");
  EXPECT_EQ(names, weights.names());
  for (const string& name : names) {
    EXPECT_EQ(state.shape(name), weights.shape(name)) << name;
    vector<double> values(static_cast<std::size_t>(attn::checked_size(state.shape(name))));
    vector<double> expected(values.size());
    state.read(name, std::span(values));
    weights.read(name, expected);
    EXPECT_EQ(values, expected) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LanguageModelCases, testing::ValuesIn(all_cases()),
                         [](const auto& one) { return string(one.param.name); });

}  // namespace
