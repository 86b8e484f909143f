#include <attn/core/nested.hpp>
#include <attn/io/gguf.hpp>
#include <attn/io/name_map.hpp>
#include <attn/nn/linear.hpp>

#include <cmath>
#include <limits>

#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"
#include "gguf_builder.hpp"

namespace {

using attn::Index;
using std::vector;

const std::filesystem::path data = ATTN_TESTS_DATA;
constexpr double inf = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();

/// Bitwise equal, or NaN where NaN is wanted.
template <class T, class U>
void expect_same(const vector<T>& values, const vector<U>& wanted) {
  const vector<double> got(values.begin(), values.end()), want(wanted.begin(), wanted.end());
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))
        << i << ": " << got[i] << " instead of " << want[i];
    ASSERT_TRUE(std::isnan(want[i]) || std::signbit(got[i]) == std::signbit(want[i])) << i;
  }
}

attn::Gguf types() { return attn::load_gguf(data / "gguf_types.gguf"); }

const std::string block_types[] = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
                                   "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"};

// The values that make_gguf_cases.py gives to the reference implementation, or gets from it.

TEST(Gguf, ReadsBlocksOfEveryTypeAsThePythonPackage) {
  const attn::Gguf file = types();
  for (const std::string& type : block_types) {
    SCOPED_TRACE(type);
    const Index columns = type.ends_with("K") ? 512 : 64;
    EXPECT_EQ(file.dtype_name(type), type);
    EXPECT_EQ(file.shape(type), (vector<Index>{5, columns}));
    const vector<float> want = file.values<float>(type + ".float32");
    expect_same(file.values<float>(type), want);
    expect_same(file.values<double>(type), want);
    const auto matrix = file.get<float, 2>(type);
    EXPECT_EQ(matrix.shape(), (attn::Shape<2>{5, columns}));
    EXPECT_EQ(matrix(2, columns - 1), want[static_cast<std::size_t>(3 * columns - 1)]);
  }
}

TEST(Gguf, ReadsEveryPlainType) {
  const attn::Gguf file = types();
  for (const std::string type : {"F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"})
    EXPECT_EQ(file.dtype_name(type), type);
  expect_same(file.values<double>("F32"),
              vector<double>{0.0, -0.0, double(1.0f / 3), 0x1p-149, double(1e38f), inf, -inf, nan});
  expect_same(file.values<double>("F16"),
              vector<double>{0.0, -0.0, 0x1p-24, 0x1.554p-2, 65504, inf});
  expect_same(file.values<float>("BF16"),
              vector<double>{0.0, -0.0, 0x1p-133, 1, -0x1.92p1, 0x1.FEp127, -inf, nan});
  expect_same(file.values<double>("F64"), vector<double>{0.0, -0.0, 1.0 / 3, 5e-324, 1e300});
  EXPECT_EQ((file.get<std::int8_t, 1>("I8")), attn::tensor<std::int8_t>({-128, -1, 0, 127}));
  EXPECT_EQ((file.get<std::int16_t, 1>("I16")), attn::tensor<std::int16_t>({-32768, -1, 0, 32767}));
  EXPECT_EQ(file.values<std::int32_t>("I32"),
            (vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(), -1, 0, 2147483647}));
  EXPECT_EQ(file.values<std::int64_t>("I64"),
            (vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), -1, 9007199254740993,
                                  std::numeric_limits<std::int64_t>::max()}));
}

TEST(Gguf, ShapesAreInRowMajorOrder) {
  const attn::Gguf file = types();
  EXPECT_EQ(file.shape("axes"), (vector<Index>{1, 2, 3, 4}));
  EXPECT_EQ(file.shape("F32"), (vector<Index>{2, 1, 4}));
  const auto axes = file.get<Index, 4>("axes");
  EXPECT_EQ(axes(0, 0, 0, 1), 1);
  EXPECT_EQ(axes(0, 0, 1, 0), 4);
  EXPECT_EQ(axes(0, 1, 0, 0), 12);
}

TEST(Gguf, NamesAreSortedAndFound) {
  const attn::Gguf file = types();
  const vector<std::string> names = file.names();
  EXPECT_EQ(names.size(), 29u);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_TRUE(file.contains("Q4_K") && !file.contains("q4_k") && !file.contains(""));
}

/// A file with one tensor "a", with this number of a type, dimensions and data.
attn::Gguf one(const TemporaryFolder& folder, std::uint32_t type,
               const vector<std::uint64_t>& dimensions, const std::string& bytes) {
  const auto path = folder / std::to_string(folder.count());  // the files before stay open
  gguf::File file{.tensors = {gguf::tensor("a", dimensions, type, 0)}, .data = bytes.size()};
  const std::string whole = file.bytes();
  put(path, whole.substr(0, whole.size() - bytes.size()) + bytes);
  return attn::load_gguf(path);
}

TEST(Gguf, BytesAreThoseOfTheFile) {
  const TemporaryFolder folder;
  const std::string blocks =
      "0123456789abcdefgh"
      "ABCDEFGHIJKLMNOPQR";
  const attn::Gguf file = one(folder, 2, {32, 2}, blocks);
  const std::span<const std::byte> bytes = file.bytes("a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), blocks);
  EXPECT_EQ(one(folder, 17, {256}, std::string(74, '\1')).bytes("a").size(), 74u);
}

TEST(Gguf, ReadsScalarsAndEmptyTensors) {
  const TemporaryFolder folder;
  const attn::Gguf scalar = one(folder, 0, {}, std::string("\0\0\x28\x42", 4));
  EXPECT_EQ(scalar.shape("a"), vector<Index>{});
  EXPECT_EQ(scalar.values<double>("a"), vector<double>{42});
  const attn::Gguf empty = one(folder, 12, {256, 0}, "");
  EXPECT_EQ((empty.get<float, 2>("a").shape()), (attn::Shape<2>{0, 256}));
  EXPECT_TRUE(empty.bytes("a").empty());
}

TEST(Gguf, ReadsMoreBlocksThanAreInMemoryAtATime) {
  const TemporaryFolder folder;
  constexpr std::size_t blocks = 130'000;  // 4.4 MB of Q8_0
  std::string bytes;
  vector<float> want;
  for (std::size_t i = 0; i < blocks; ++i) {
    bytes += std::string("\0\x3C", 2) + static_cast<char>(i % 100) + std::string(31, '\2');
    want.push_back(static_cast<float>(i % 100));
    want.insert(want.end(), 31, 2.0f);
  }
  const attn::Gguf file = one(folder, 8, {32, blocks}, bytes);
  EXPECT_TRUE(file.values<float>("a") == want);
  EXPECT_TRUE(file.values<Index>("a") == vector<Index>(want.begin(), want.end()));
}

TEST(Gguf, SaysWhichValueIsLost) {
  const TemporaryFolder folder;
  // d = 0.5, q = 2, 4, 6, …, but 3 at index 33.
  std::string block("\0\x38", 2);
  for (char q = 2; q <= 64; q = static_cast<char>(q + 2)) block += q;
  std::string odd = block;
  odd[3] = 3;
  const attn::Gguf file = one(folder, 8, {64}, block + odd);
  const std::string where = "Gguf: \"a\" of \"" + (folder / "0").string() + "\" has the Q8_0 ";
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.values<std::int64_t>("a"); }),
            where + "1.5 at index 33, which I64 cannot hold");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.check<std::int32_t>("a"); }),
            where + "1.5 at index 33, which I32 cannot hold");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.get<bool, 1>("a"); }),
            where + "2 at index 1, which BOOL cannot hold");
  EXPECT_NO_THROW(file.check<float>("a"));
  EXPECT_EQ(one(folder, 8, {32}, block).values<std::uint8_t>("a")[31], 32);
  const attn::Gguf doubles = types();
  EXPECT_EQ(sentence_of<attn::FileError>([&] { doubles.values<float>("F64"); }),
            "Gguf: \"F64\" of \"" + (data / "gguf_types.gguf").string() +
                "\" has the F64 1.0000000000000001e+300 at index 4, which F32 cannot hold");
}

TEST(Gguf, RefusesAnotherNumberOfAxesOrValues) {
  const attn::Gguf file = types();
  const std::string where = "Gguf: \"axes\" of \"" + (data / "gguf_types.gguf").string() + "\" ";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { file.get<float, 3>("axes"); }),
            where +
                "must have the number of axes that is asked for, 3, but has the shape "
                "(1, 2, 3, 4)");
  vector<float> few(23);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { file.read("axes", std::span(few)); }),
            where + "must be read into as many values as its shape (1, 2, 3, 4) has, not 23");
}

TEST(Gguf, NamesWhatIsMissingAndWhatIsClosest) {
  const attn::Gguf file = types();
  const std::string where = "Gguf: \"" + (data / "gguf_types.gguf").string() + "\" has no tensor ";
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.shape("axis"); }),
            where + "\"axis\"; the closest is \"axes\"");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.values<float>("token_embd.weight"); }),
            where + "\"token_embd.weight\"");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.bytes("axis"); }),
            where + "\"axis\"; the closest is \"axes\"");
}

TEST(Gguf, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::load_gguf(folder / "no"); }),
      "load_gguf: cannot read \"" + (folder / "no").string() + "\": No such file or directory");
}

struct OtherType {
  std::uint32_t number;
  std::string name;
  std::uint64_t count;
  std::size_t bytes;
};
/// The types that the library does not compute with, and numbers that the format may get.
const OtherType others[] = {
    {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136},
    {29, "IQ1_M", 256, 56},   {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},
    {4, "type 4", 32, 20},    {9, "type 9", 32, 36},    {77, "type 77", 5, 3}};

TEST(Gguf, ATensorThatCannotBeReadLeavesTheOthersReadable) {
  const TemporaryFolder folder;
  for (const OtherType& other : others) {
    SCOPED_TRACE(other.name);
    const std::size_t begin = (other.bytes + 31) / 32 * 32;
    gguf::File parts{.tensors = {gguf::tensor("a", {other.count}, other.number, 0),
                                 gguf::tensor("weight", {2, 1}, 0, begin)},
                     .data = begin + 8};
    std::string bytes = parts.bytes();
    bytes.replace(bytes.size() - 8, 8, std::string("\0\0\x80\x3F\0\0\x20\x40", 8));  // 1, 2.5
    const auto path = folder / std::to_string(folder.count());  // the files before stay open
    put(path, bytes);
    const attn::Gguf file = attn::load_gguf(path);
    EXPECT_EQ(file.names(), (vector<std::string>{"a", "weight"}));
    EXPECT_EQ(file.dtype_name("a"), other.name);
    EXPECT_EQ(file.shape("a"), vector<Index>{static_cast<Index>(other.count)});
    attn::Linear<float> layer({.in_features = 2, .out_features = 1, .bias = false});
    layer.load_state_dict(attn::NameMap({}, {"a"})(file));
    EXPECT_EQ(layer.weight.value()(0, 1), 2.5f);

    const std::string where = "Gguf: \"a\" of \"" + path.string() + "\" has the ";
    const std::string sentence =
        where + "dtype \"" + other.name +
        "\", which is not supported; these are: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, "
        "Q3_K, Q4_K, Q5_K, Q6_K, I8, I16, I32, I64, F64, BF16";
    vector<double> values(other.count);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.values<float>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.get<double, 1>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.read("a", std::span(values)); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.check<float>("a"); }), sentence);
    if (other.name.starts_with("type"))
      EXPECT_EQ(sentence_of<attn::FileError>([&] { file.bytes("a"); }),
                where + other.name + ", whose size is not known");
    else EXPECT_EQ(file.bytes("a").size(), other.bytes);
  }
}

TEST(Gguf, ALayerIsLoadedFromBlocks) {
  const attn::Gguf file = types();
  attn::Linear<double> layer({.in_features = 512, .out_features = 5, .bias = false});
  vector<std::string> rest = file.names();
  std::erase(rest, "Q6_K");
  layer.load_state_dict(attn::NameMap({{"weight", {"Q6_K"}}}, rest)(file));
  EXPECT_EQ(layer.weight.value()(1, 2), file.values<double>("Q6_K.float32")[514]);
}

TEST(Gguf, CopiesAndMovesKeepTheFile) {
  const auto load = [] {
    attn::Gguf file = types();
    attn::Gguf copy = file, moved = std::move(file);
    return std::pair(copy, moved);
  };
  const auto [copy, moved] = load();
  EXPECT_EQ(copy.values<float>("axes"), moved.values<float>("axes"));
  EXPECT_EQ(copy.bytes("axes").data(), moved.bytes("axes").data());
}

}  // namespace
