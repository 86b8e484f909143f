#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/core/nested.hpp>
#include <attn/io/name_map.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/nn/self_attention.hpp>

namespace {

using attn::Index;
using std::vector;
using Strings = vector<std::string>;

static_assert(attn::StateSource<attn::MappedSource<attn::SafeTensors>, float> &&
              attn::StateSource<attn::MappedSource<attn::SafeTensors>, double>);

/// A state of matrices (rows, 2), each filled with a value of its own: 0, 1, …
attn::StateDict<float> state_of(const vector<std::pair<std::string, Index>>& entries) {
  attn::StateDict<float> result;
  float value = 0;
  for (const auto& [name, rows] : entries) {
    attn::Tensor<float, 2> tensor({rows, 2});
    tensor.flat().setConstant(value++);
    result.set(name, tensor);
  }
  return result;
}
attn::StateDict<float> state(const Strings& names) {
  vector<std::pair<std::string, Index>> entries;
  for (const std::string& name : names) entries.emplace_back(name, 1);
  return state_of(entries);
}
/// The name that a rule gives to another.
std::string renamed(const std::string& name, const std::string& target, const std::string& source) {
  return attn::NameMap{{{target, {source}}}}(state({name})).names().front();
}
template <class Source>
vector<float> values(const Source& source, const std::string& name) {
  vector<float> result(static_cast<std::size_t>(attn::checked_size(source.shape(name))));
  source.read(name, std::span(result));
  return result;
}

const attn::NameMap bert{
    {{"layers.{}.self_attn.in_proj_{}",
      {"encoder.layer.{}.attention.self.query.{}", "encoder.layer.{}.attention.self.key.{}",
       "encoder.layer.{}.attention.self.value.{}"}},
     {"layers.{}.norm1.{}", {"encoder.layer.{}.attention.output.LayerNorm.{}"}}},
    {"pooler.{}"}};

TEST(NameMap, RenamesStacksKeepsAndLeavesOut) {
  const auto source = state_of({{"encoder.layer.0.attention.self.value.weight", 3},
                                {"encoder.layer.0.attention.self.query.weight", 1},
                                {"encoder.layer.11.attention.output.LayerNorm.bias", 2},
                                {"pooler.dense.weight", 1},
                                {"encoder.layer.0.attention.self.key.weight", 2},
                                {"embeddings.weight", 1}});
  const auto mapped = bert(source);
  EXPECT_EQ(mapped.names(), (Strings{"embeddings.weight", "layers.0.self_attn.in_proj_weight",
                                     "layers.11.norm1.bias"}));
  EXPECT_EQ(mapped.shape("layers.0.self_attn.in_proj_weight"), (vector<Index>{6, 2}));
  EXPECT_EQ(values(mapped, "layers.0.self_attn.in_proj_weight"),
            (vector<float>{1, 1, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0}));  // query, key, value
  EXPECT_EQ(mapped.shape("layers.11.norm1.bias"), (vector<Index>{2, 2}));
  EXPECT_EQ(values(mapped, "layers.11.norm1.bias"), (vector<float>{2, 2, 2, 2}));
  EXPECT_EQ(values(mapped, "embeddings.weight"), (vector<float>{5, 5}));
  EXPECT_TRUE(mapped.contains("embeddings.weight") && !mapped.contains("pooler.dense.weight"));
}

/// The layer has the weights that were saved under another library's names.
TEST(NameMap, ALayerLoadsWhatAnotherLibrarySaved) {
  const TemporaryFolder folder;
  attn::Random random{1};
  const attn::SelfAttention<double> layer({.embed_dim = 6, .num_heads = 2}, random);
  const attn::StateDict<double> own = layer.state_dict();
  attn::SafeTensorsWriter writer;
  for (const std::string name : {"weight", "bias"}) {
    const std::string in = "in_proj_" + name, out = "out_proj." + name;
    vector<Index> part = own.shape(in);
    part[0] = 6;
    const std::size_t size = own.values(in).size() / 3;
    writer.add("layer.4.attention.query." + name, part, own.values(in).subspan(0, size));
    writer.add("layer.4.attention.key." + name, part, own.values(in).subspan(size, size));
    writer.add("layer.4.attention.value." + name, part, own.values(in).subspan(2 * size, size));
    writer.add("layer.4.attention.output.dense." + name, own.shape(out), own.values(out));
  }
  writer.add("classifier.weight", {1}, own.values("in_proj_bias").subspan(0, 1))
      .save(folder / "foreign");

  const attn::NameMap map{{{"layers.{}.in_proj_{}",
                            {"layer.{}.attention.query.{}", "layer.{}.attention.key.{}",
                             "layer.{}.attention.value.{}"}},
                           {"layers.{}.out_proj.{}", {"layer.{}.attention.output.dense.{}"}}},
                          {"classifier.{}"}};
  attn::SelfAttention<double> loaded({.embed_dim = 6, .num_heads = 2});
  loaded.load_state_dict(map(attn::load_safetensors(folder / "foreign")), "layers.4.");
  for (const std::string& name : own.names())
    EXPECT_TRUE(std::ranges::equal(loaded.state_dict().values(name), own.values(name))) << name;
}

TEST(NameMap, AHoleIsAtLeastOneCharacterAndNoDotUnlessItEndsThePattern) {
  EXPECT_EQ(renamed("layer.0.weight", "l.{}.w", "layer.{}.weight"), "l.0.w");
  EXPECT_EQ(renamed("layer.norm.1.weight", "l.{}.w", "layer.{}.weight"), "layer.norm.1.weight");
  EXPECT_EQ(renamed("layer..weight", "l.{}.w", "layer.{}.weight"), "layer..weight");
  EXPECT_EQ(renamed("layer.weight", "l.{}.w", "layer.{}.weight"), "layer.weight");
  EXPECT_EQ(renamed("bert.encoder.layer.0", "{}", "bert.{}"), "encoder.layer.0");
  EXPECT_EQ(renamed("bert.", "{}", "bert.{}"), "bert.");
  EXPECT_EQ(renamed("a.weight", "model.{}", "{}"), "model.a.weight");
  EXPECT_EQ(renamed("a.gamma", "{}.weight", "{}.gamma"), "a.weight");
  EXPECT_EQ(renamed("a.b.gamma", "{}.weight", "{}.gamma"), "a.b.gamma");
  EXPECT_EQ(renamed("a.gamma2", "{}.weight", "{}.gamma"), "a.gamma2");
  EXPECT_EQ(renamed("gamma", "weight", "gamma"), "weight");
  EXPECT_EQ(renamed("gamma.", "weight", "gamma"), "gamma.");
}

TEST(NameMap, HolesAreFilledInOrderAndTakeAsLittleAsFits) {
  EXPECT_EQ(renamed("h.3.attn.c.bias", "{}_{}_{}", "h.{}.attn.{}.{}"), "3_c_bias");
  EXPECT_EQ(renamed("a_b_c", "{}|{}", "{}_{}"), "a|b_c");
  EXPECT_EQ(renamed("a_b_c.w", "{}|{}.w", "{}_{}.w"), "a|b_c.w");
  EXPECT_EQ(renamed("_b_c", "{}|{}", "{}_{}"), "_b|c");
  EXPECT_EQ(renamed("q_proj_proj.w", "{}.w", "{}_proj.w"), "q_proj.w");
  EXPECT_EQ(renamed("abc", "{}.{}", "{}{}"), "a.bc");
  EXPECT_EQ(renamed("a", "{}.{}", "{}{}"), "a");
}

TEST(NameMap, TheFirstRuleThatFitsCountsAndRulesComeBeforeWhatIsLeftOut) {
  const attn::NameMap map{
      {{"first.{}", {"a.{}"}}, {"second.{}.{}", {"a.{}.{}", "b.{}.{}"}}, {"kept", {"x.y"}}},
      {"{}"}};
  EXPECT_EQ(map(state({"a.w.v", "x.y", "x.z"})).names(), (Strings{"first.w.v", "kept"}));
}

TEST(NameMap, WithoutRulesNothingChanges) {
  const auto source = state({"b", "a"});
  EXPECT_EQ(attn::NameMap({})(source).names(), (Strings{"a", "b"}));
  EXPECT_EQ(attn::NameMap({}, {"a"})(source).names(), Strings{"b"});
  attn::StateDict<double> scalar;
  const double pi = 3.14;
  scalar.set("pi", {}, std::span(&pi, 1));
  EXPECT_EQ(attn::NameMap({})(scalar).shape("pi"), vector<Index>{});
}

TEST(NameMap, MovesTemporariesCopiesSharedSourcesAndRefersToOthers) {
  const TemporaryFolder folder;
  attn::save_safetensors(folder / "a", state({"encoder.layer.0.attention.output.LayerNorm.bias"}));
  const auto of_temporary = bert(state({"pooler.x", "y"}));
  const auto of_file = [&] {
    const attn::SafeTensors file = attn::load_safetensors(folder / "a");
    return bert(file);
  }();
  EXPECT_EQ(values(of_temporary, "y"), (vector<float>{1, 1}));
  EXPECT_EQ(values(of_file, "layers.0.norm1.bias"), (vector<float>{0, 0}));
  const auto big = state({"y"});
  static_assert(
      std::is_same_v<decltype(bert(big)), attn::MappedSource<const attn::StateDict<float>&>>);
  static_assert(std::is_same_v<decltype(bert(attn::StateDict<float>())),
                               attn::MappedSource<attn::StateDict<float>>>);
}

TEST(NameMap, MapsMayFollowEachOther) {
  const attn::NameMap outer{{{"a.{}", {"bert.{}"}}}};
  const attn::NameMap inner{{{"b.{}", {"a.{}"}}}};
  EXPECT_EQ(inner(outer(state({"bert.w"}))).names(), Strings{"b.w"});
}

TEST(NameMap, RefusesMalformedRules) {
  const auto sentence = [](vector<attn::NameMap::Rule> rules, Strings left_out = {}) {
    return sentence_of<attn::OptionError>([&] { attn::NameMap(rules, left_out); });
  };
  EXPECT_EQ(sentence({{"a.{}", {"b.{}", "c.{}.{}"}}}),
            "NameMap: \"c.{}.{}\" has 2 {}, but its target \"a.{}\" has 1");
  EXPECT_EQ(sentence({{"a.{}", {"b"}}}), "NameMap: \"b\" has 0 {}, but its target \"a.{}\" has 1");
  EXPECT_EQ(sentence({{"a.{}", {}}}), "NameMap: \"a.{}\" must have at least one source");
  EXPECT_EQ(sentence({{"a.{0}", {"b.{0}"}}}),
            "NameMap: the braces of \"a.{0}\" must be {}, with nothing between them");
  EXPECT_EQ(sentence({{"a", {"b}"}}}),
            "NameMap: the braces of \"b}\" must be {}, with nothing between them");
  EXPECT_EQ(sentence({}, {"b{"}),
            "NameMap: the braces of \"b{\" must be {}, with nothing between them");
}

struct Endless {
  Strings names() const { return {"q.w", "k.w"}; }
  vector<Index> shape(const std::string&) const {
    return {std::numeric_limits<Index>::max() / 2 + 1, 0};
  }
  void read(const std::string&, std::span<float>) const {}
};

TEST(NameMap, RefusesSourcesThatDoNotFit) {
  const auto sentence = [](const attn::NameMap& map, const attn::StateDict<float>& source) {
    return sentence_of<attn::ShapeError>([&] { map(source); });
  };
  const attn::NameMap pair{{{"qk.{}", {"q.{}", "k.{}"}}, {"norm.{}", {"ln.{}"}}}};
  EXPECT_EQ(sentence(pair, state({"k.weight", "q.bias"})),
            "NameMap: \"qk.weight\" is made of \"k.weight\" and of \"q.weight\", which is missing");
  EXPECT_EQ(sentence(pair, state({"ln.weight", "norm.weight"})),
            "NameMap: \"ln.weight\" and \"norm.weight\" both become \"norm.weight\"");
  EXPECT_EQ(sentence(pair, state({"qk.weight", "k.weight", "q.weight"})),
            "NameMap: \"qk.weight\" and \"k.weight\" both become \"qk.weight\"");
  attn::StateDict<float> shapes = state({"q.w"});
  shapes.set("k.w", attn::tensor<float>({{1, 2, 3}}));
  EXPECT_EQ(sentence(pair, shapes),
            "NameMap: to be stacked as \"qk.w\", \"k.w\" (1, 3) must have the extents of \"q.w\" "
            "(1, 2) after the first axis");
  shapes.set("k.w", attn::tensor<float>({1, 2}));
  EXPECT_EQ(sentence(pair, shapes),
            "NameMap: to be stacked as \"qk.w\", \"k.w\" (2) must have the extents of \"q.w\" (1, "
            "2) after the first axis");
  const float one = 1;
  shapes.set("q.w", {}, std::span(&one, 1));
  shapes.set("k.w", {}, std::span(&one, 1));
  EXPECT_EQ(sentence(pair, shapes),
            "NameMap: to be stacked as \"qk.w\", \"k.w\" () must have the extents of \"q.w\" () "
            "after the first axis");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { pair(Endless()); }),
            "NameMap: \"qk.w\" has more rows than an Index can count");
}

TEST(NameMap, RefusesOtherNamesAndNumbersOfValues) {
  const auto mapped = bert(state({"encoder.layer.0.attention.output.LayerNorm.bias"}));
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { mapped.shape("layers.0.norm2.bias"); }),
      "NameMap: there is no entry \"layers.0.norm2.bias\"; the closest is \"layers.0.norm1.bias\"");
  vector<float> few(1);
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { mapped.read("layers.0.norm1.bias", std::span(few)); }),
      "NameMap: \"layers.0.norm1.bias\" must be read into as many values as its shape (1, 2) has, "
      "not 1");
}

}  // namespace
