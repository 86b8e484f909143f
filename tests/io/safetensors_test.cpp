#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/core/nested.hpp>
#include <attn/io/name_map.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/nn/linear.hpp>
#include <cmath>
#include <limits>

namespace {

using attn::Dtype;
using attn::Index;
using std::vector;

const std::filesystem::path data = ATTN_TESTS_DATA;
constexpr double inf = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();

/// Equal, NaN to NaN, and the signs of zeros too.
void expect_same(const vector<double>& got, const vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))
        << i << ": " << got[i] << " instead of " << want[i];
    EXPECT_TRUE(std::isnan(want[i]) || std::signbit(got[i]) == std::signbit(want[i])) << i;
  }
}

// The values that make_safetensors.py gives to the reference implementation.

TEST(SafeTensors, ReadsEveryTypeOfThePythonPackage) {
  const attn::SafeTensors file = attn::load_safetensors(data / "every_dtype.safetensors");
  EXPECT_EQ(file.names(), (vector<std::string>{"bf16", "bool", "f16", "f32", "f64", "i16", "i32",
                                               "i64", "i8", "u8"}));
  EXPECT_TRUE(file.metadata().empty());
  const std::pair<const char*, Dtype> types[] = {
      {"bool", Dtype::boolean}, {"u8", Dtype::u8},   {"i8", Dtype::i8},   {"i16", Dtype::i16},
      {"i32", Dtype::i32},      {"i64", Dtype::i64}, {"f16", Dtype::f16}, {"bf16", Dtype::bf16},
      {"f32", Dtype::f32},      {"f64", Dtype::f64}};
  for (const auto& [name, dtype] : types) EXPECT_EQ(file.dtype(name), dtype) << name;
  EXPECT_EQ(file.shape("f64"), (vector<Index>{2, 2, 2, 1}));

  EXPECT_EQ((file.get<bool, 2>("bool")), attn::tensor<bool>({{true, false}, {false, true}}));
  EXPECT_EQ((file.get<std::uint8_t, 1>("u8")), attn::tensor<std::uint8_t>({0, 1, 255}));
  EXPECT_EQ((file.get<std::int8_t, 1>("i8")), attn::tensor<std::int8_t>({-128, -1, 0, 127}));
  EXPECT_EQ((file.get<std::int16_t, 1>("i16")), attn::tensor<std::int16_t>({-32768, -1, 0, 32767}));
  EXPECT_EQ(
      (file.get<std::int32_t, 1>("i32")),
      attn::tensor<std::int32_t>({std::numeric_limits<std::int32_t>::min(), -1, 0, 2147483647}));
  constexpr auto least = std::numeric_limits<std::int64_t>::min(),
                 greatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ((file.get<std::int64_t, 1>("i64")),
            attn::tensor<std::int64_t>({least, -1, 9007199254740993, greatest}));

  expect_same(file.values<double>("f16"), {0.0, -0.0, 0x1p-24, -0x3FFp-24, 0x1p-14, 0x1.554p-2, 1,
                                           -0x1.92p1, 65504, inf, -inf, nan});
  expect_same(file.values<double>("bf16"), {0.0, -0.0, 0x1p-133, -0x7Fp-133, 0x1p-126, 0x1.56p-2, 1,
                                            -0x1.92p1, 0x1.FEp127, inf, -inf, nan});
  expect_same(file.values<double>("f32"),
              {0.0, -0.0, double(1.0f / 3), 0x1p-149, double(1e38f), inf, -inf, nan});
  expect_same(file.values<double>("f64"), {0.0, -0.0, 1.0 / 3, 5e-324, 1e300, inf, -inf, nan});
}

TEST(SafeTensors, ReadsOddNamesScalarsAndEmptyTensors) {
  const attn::SafeTensors file = attn::load_safetensors(data / "names.safetensors");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"author \"Ä\"", "line\nbreak"}}));
  EXPECT_EQ(file.names(),
            (vector<std::string>{"", "\"quoted\"\\\t\n\x01\x7f/", "Wörter und 言葉 🙂", "empty",
                                 "encoder.layers.0.self_attn.in_proj_weight", "scalar"}));
  EXPECT_EQ((file.get<float, 1>("")), attn::tensor<float>({1}));
  EXPECT_EQ((file.get<float, 2>("encoder.layers.0.self_attn.in_proj_weight")),
            attn::tensor<float>({{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ((file.get<Index, 1>("Wörter und 言葉 🙂")), attn::tensor<Index>({7}));
  EXPECT_EQ((file.get<double, 5>("\"quoted\"\\\t\n\x01\x7f/").shape()),
            (attn::Shape<5>{1, 1, 1, 1, 2}));  // 44 bytes after the start: unaligned
  EXPECT_EQ(file.values<double>("\"quoted\"\\\t\n\x01\x7f/"), (vector<double>{8, 9}));
  EXPECT_EQ(file.shape("scalar"), vector<Index>{});
  EXPECT_EQ(file.values<float>("scalar"), vector<float>{42});
  EXPECT_EQ((file.get<float, 2>("empty").shape()), (attn::Shape<2>{0, 3}));
  EXPECT_TRUE(file.contains("") && file.contains("scalar") && !file.contains("__metadata__") &&
              !file.contains("Scalar"));
}

/// A file of one entry, with these bytes.
attn::SafeTensors one(const TemporaryFolder& folder, const std::string& dtype,
                      const std::string& shape, const std::string& bytes) {
  std::string header = R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape +
                       R"(,"data_offsets":[0,)" + std::to_string(bytes.size()) + "]}}";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  const auto path = folder / ("one_" + dtype);  // Windows replaces no file that is mapped
  put(path, length + header + bytes);
  return attn::load_safetensors(path);
}

TEST(SafeTensors, ReadsValuesAtUnalignedAddresses) {
  const TemporaryFolder folder;
  for (const std::string spaces : {"[2]", "[ 2]", "[  2]", "[   2]"}) {
    const auto file =
        one(folder, "F64", spaces, std::string("\0\0\0\0\0\0\xF0\x3F\0\0\0\0\0\0\0\xC0", 16));
    EXPECT_EQ(file.values<double>("a"), (vector<double>{1, -2}));
    EXPECT_EQ(file.values<float>("a"), (vector<float>{1, -2}));
    EXPECT_EQ(file.values<Index>("a"), (vector<Index>{1, -2}));
  }
}

TEST(SafeTensors, ABoolIsTrueWhereItsByteIsNotZero) {
  const TemporaryFolder folder;
  for (const std::string dtype : {"BOOL", "U8"})
    EXPECT_EQ((one(folder, dtype, "[4]", std::string("\0\1\2\xFF", 4)).get<bool, 1>("a")),
              attn::tensor<bool>({false, true, true, true}))
        << dtype;
  EXPECT_EQ(one(folder, "BOOL", "[4]", std::string("\0\1\2\xFF", 4)).values<double>("a"),
            (vector<double>{0, 1, 1, 1}));
}

TEST(SafeTensors, SaysWhichValueIsLost) {
  const TemporaryFolder folder;
  const std::string path = (folder / "one_").string();
  const auto floats = one(folder, "F32", "[3]",
                          std::string("\0\0\x80\x3F\0\0\x20\x40\0\0\x80\x7F", 12));  // 1, 2.5, inf
  EXPECT_EQ(sentence_of<attn::FileError>([&] { floats.values<std::int64_t>("a"); }),
            "SafeTensors: \"a\" of \"" + path +
                "F32\" has the F32 2.5 at index 1, which I64 cannot hold");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { floats.get<bool, 1>("a"); }),
            "SafeTensors: \"a\" of \"" + path +
                "F32\" has the F32 2.5 at index 1, which BOOL cannot hold");
  EXPECT_EQ(floats.values<double>("a"), (vector<double>{1, 2.5, inf}));
  const auto integers =
      one(folder, "I64", "[2]",
          std::string("\0\1\0\0\0\0\0\0\1\0\0\0\0\0\x20\0", 16));  // 256, 2^53 + 1
  EXPECT_EQ(sentence_of<attn::FileError>([&] { integers.values<double>("a"); }),
            "SafeTensors: \"a\" of \"" + path +
                "I64\" has the I64 9007199254740993 at index 1, which F64 cannot hold");
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { integers.values<std::uint8_t>("a"); }),
      "SafeTensors: \"a\" of \"" + path + "I64\" has the I64 256 at index 0, which U8 cannot hold");
  const auto doubles = one(folder, "F64", "[1]", std::string("\0\0\0\0\0\0\0\x7F", 8));
  EXPECT_EQ(sentence_of<attn::FileError>([&] { doubles.values<float>("a"); }),
            "SafeTensors: \"a\" of \"" + path +
                "F64\" has the F64 5.4861240687936887e+303 at index 0, which F32 cannot hold");
}

TEST(SafeTensors, RefusesAnotherNumberOfAxesOrValues) {
  const auto path = (data / "names.safetensors").string();
  const attn::SafeTensors file = attn::load_safetensors(path);
  const std::string name = "encoder.layers.0.self_attn.in_proj_weight";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { file.get<float, 1>(name); }),
            "SafeTensors: \"" + name + "\" of \"" + path +
                "\" must have the number of axes that is asked for, 1, but has the shape (2, 3)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { file.get<float, 1>("scalar"); }),
            "SafeTensors: \"scalar\" of \"" + path +
                "\" must have the number of axes that is asked for, 1, but has the shape ()");
  vector<float> few(5);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { file.read(name, std::span(few)); }),
            "SafeTensors: \"" + name + "\" of \"" + path +
                "\" must be read into as many values as its shape (2, 3) has, not 5");
  vector<double> right(6);
  file.read(name, std::span(right));
  EXPECT_EQ(right, (vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(SafeTensors, NamesWhatIsMissingAndWhatIsClosest) {
  const auto path = (data / "names.safetensors").string();
  const attn::SafeTensors file = attn::load_safetensors(path);
  const auto sentence = [&](const std::string& name) {
    return sentence_of<attn::FileError>([&] { file.shape(name); });
  };
  EXPECT_EQ(sentence("scaler"),
            "SafeTensors: \"" + path + "\" has no entry \"scaler\"; the closest is \"scalar\"");
  EXPECT_EQ(sentence("linear1.bias"),
            "SafeTensors: \"" + path + "\" has no entry \"linear1.bias\"");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.get<float, 2>("emty"); }),
            "SafeTensors: \"" + path + "\" has no entry \"emty\"; the closest is \"empty\"");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.dtype("emty"); }),
            "SafeTensors: \"" + path + "\" has no entry \"emty\"; the closest is \"empty\"");
}

TEST(SafeTensors, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_safetensors(folder / "no"); }),
            "load_safetensors: cannot read \"" + (folder / "no").string() +
                "\": No such file or directory");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_safetensors(folder.path); }),
            "load_safetensors: cannot read \"" + folder.path.string() + "\": Is a directory");
}

TEST(SafeTensors, WhereAValueIsLostALayerStaysAsItWas) {
  const TemporaryFolder folder;
  attn::Tensor<double, 2> weight({2, 3});
  weight.flat().setConstant(0.5);
  attn::Tensor<double, 1> bias({2});
  bias(1) = 1e300;
  attn::SafeTensorsWriter()
      .add("weight", weight)
      .add("bias", bias)
      .save(folder / "wide.safetensors");
  const attn::SafeTensors file = attn::load_safetensors(folder / "wide.safetensors");
  attn::Random random{1};
  attn::Linear<float> layer({.in_features = 3, .out_features = 2}, random);
  const attn::StateDict<float> before = layer.state_dict();
  const attn::NameMap same({});
  for (const bool mapped : {false, true}) {
    const std::string sentence = sentence_of<attn::FileError>(
        [&] { mapped ? layer.load_state_dict(same(file)) : layer.load_state_dict(file); });
    EXPECT_NE(sentence.find("\"bias\""), std::string::npos) << sentence;
    EXPECT_TRUE(std::ranges::equal(layer.state_dict().values("weight"), before.values("weight")));
  }
  attn::Linear<double> wide({.in_features = 3, .out_features = 2});
  wide.load_state_dict(file);
  EXPECT_EQ(wide.bias->value()(1), 1e300);
}

TEST(SafeTensors, CopiesAndMovesKeepTheFile) {
  const auto load = [] {
    attn::SafeTensors file = attn::load_safetensors(data / "names.safetensors");
    attn::SafeTensors copy = file, moved = std::move(file);
    return std::pair(copy, moved);
  };
  const auto [copy, moved] = load();
  EXPECT_EQ(copy.values<float>("scalar"), moved.values<float>("scalar"));
  EXPECT_EQ(&copy.shape("scalar"), &moved.shape("scalar"));
}

}  // namespace
