#include <gmock/gmock.h>
#include <attn/core/nested.hpp>
#include <attn/io/name_map.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/nn/linear.hpp>

#include <limits>

#include "support/expect_error.hpp"
#include "support/little_endian.hpp"
#include "support/temporary_folder.hpp"

namespace {

using attn::Dtype;
using attn::Index;
using std::vector;

/// The bytes of a file with one entry "a" of this dtype, followed by "weight", two F32.
std::string beside_weight(const std::string& dtype, const std::string& shape,
                          const std::string& data) {
  const std::string end = std::to_string(data.size()), last = std::to_string(data.size() + 8);
  const std::string header =
      R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,)" + end +
      R"(]},"weight":{"dtype":"F32","shape":[1,2],"data_offsets":[)" + end + "," + last + "]}}";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  return length + header + data + std::string("\0\0\x80\x3F\0\0\x20\x40", 8);  // 1, 2.5
}

/// Half as many elements as an Index cannot count.
const std::string half = std::to_string(std::numeric_limits<Index>::max() / 2 + 1);

struct OtherDtype {
  std::string name, shape;
  std::size_t bytes;
};
/// The format's dtypes that the library does not compute with, and some that the format may get.
const OtherDtype others[] = {
    {"F8_E4M3", "[4]", 4},     {"F8_E5M2", "[4]", 4},     {"F8_E8M0", "[4]", 4},
    {"F8_E4M3FNUZ", "[4]", 4}, {"F8_E5M2FNUZ", "[4]", 4}, {"F6_E2M3", "[2,2]", 3},
    {"F6_E3M2", "[2,2]", 3},   {"F4", "[2,4]", 4},        {"C64", "[2]", 16},
    {"C64", "[0]", 0},         {"F4", "[2,0]", 0},        {"C128", "[1]", 16},
    {"I4", "[6]", 3},          {"X", "[" + half + "]", 1}};

TEST(SafeTensorsDtypes, AnEntryThatCannotBeReadLeavesTheOthersReadable) {
  const TemporaryFolder folder;
  for (const OtherDtype& other : others) {
    SCOPED_TRACE(other.name);
    put(folder / "f", beside_weight(other.name, other.shape, std::string(other.bytes, '\1')));
    const attn::SafeTensors file = attn::load_safetensors(folder / "f");
    EXPECT_EQ(file.names(), (vector<std::string>{"a", "weight"}));
    EXPECT_EQ(file.dtype_name("a"), other.name);
    EXPECT_FALSE(file.shape("a").empty());
    EXPECT_EQ(file.values<float>("weight"), (vector<float>{1, 2.5f}));
    EXPECT_EQ(file.dtype("weight"), Dtype::f32);

    attn::Linear<float> layer({.in_features = 2, .out_features = 1, .bias = false});
    layer.load_state_dict(attn::NameMap({}, {"a"})(file));
    EXPECT_EQ(layer.weight.value()(0, 1), 2.5f);
  }
}

TEST(SafeTensorsDtypes, AskingForSuchAnEntryIsRefusedByName) {
  const TemporaryFolder folder;
  for (const OtherDtype& other : others) {
    SCOPED_TRACE(other.name);
    put(folder / "f", beside_weight(other.name, other.shape, std::string(other.bytes, '\1')));
    const attn::SafeTensors file = attn::load_safetensors(folder / "f");
    const std::string sentence =
        "SafeTensors: \"a\" of \"" + (folder / "f").string() + "\" has the dtype \"" + other.name +
        "\", which is not supported; these are: BOOL, U8, I8, I16, U16, F16, BF16, I32, U32, F32, "
        "F64, I64, U64";
    vector<double> values(4);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.values<float>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.get<double, 1>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.get<bool, 5>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.read("a", std::span(values)); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.check<float>("a"); }), sentence);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { file.dtype("a"); }), sentence);
  }
}

/// A layer whose weight has such a dtype is refused as a whole and stays as it was.
TEST(SafeTensorsDtypes, ALayerIsNotLoadedFromSuchAnEntry) {
  const TemporaryFolder folder;
  std::string bytes = beside_weight("F8_E4M3", "[3]", "\1\1\1");
  bytes.replace(bytes.find("\"a\""), 3, "\"b\"");
  put(folder / "f", bytes);
  const attn::NameMap bias{{{"bias", {"b"}}}};
  attn::Random random{1};
  attn::Linear<float> layer({.in_features = 2, .out_features = 3}, random);
  const float before = layer.weight.value()(0, 0);
  put(folder / "g", beside_weight("F8_E4M3", "[1]", "\1"));
  attn::Linear<float> one({.in_features = 2, .out_features = 1}, random);
  const float first = one.weight.value()(0, 0);
  EXPECT_THAT(
      sentence_of<attn::FileError>([&] {
        one.load_state_dict(attn::NameMap{{{"bias", {"a"}}}}(attn::load_safetensors(folder / "g")));
      }),
      testing::HasSubstr("\"a\" of \"" + (folder / "g").string() +
                         "\" has the dtype \"F8_E4M3\", which is not supported"));
  EXPECT_EQ(one.weight.value()(0, 0), first);
  EXPECT_THROW(layer.load_state_dict(bias(attn::load_safetensors(folder / "f"))), attn::Error);
  EXPECT_EQ(layer.weight.value()(0, 0), before);
}

TEST(SafeTensorsDtypes, UnsignedIntegersAreReadAsWhatHoldsThem) {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& dtype, const std::string& data) {
    const auto path = folder / std::to_string(folder.count());  // the files before stay open
    put(path, beside_weight(dtype, "[3]", data));
    return attn::load_safetensors(path);
  };
  const attn::SafeTensors u16 = load("U16", little_endian<std::uint16_t>({0, 256, 65535}));
  EXPECT_EQ(u16.dtype("a"), Dtype::u16);
  EXPECT_EQ(u16.values<std::uint16_t>("a"), (vector<std::uint16_t>{0, 256, 65535}));
  EXPECT_EQ(u16.values<Index>("a"), (vector<Index>{0, 256, 65535}));
  EXPECT_EQ(u16.values<float>("a"), (vector<float>{0, 256, 65535}));
  const attn::SafeTensors u32 =
      load("U32", little_endian<std::uint32_t>({0, 16777217, 4294967295}));
  EXPECT_EQ(u32.dtype("a"), Dtype::u32);
  EXPECT_EQ(u32.values<std::uint32_t>("a"), (vector<std::uint32_t>{0, 16777217, 4294967295}));
  EXPECT_EQ(u32.values<std::int64_t>("a"), (vector<std::int64_t>{0, 16777217, 4294967295}));
  EXPECT_EQ(u32.values<double>("a"), (vector<double>{0, 16777217, 4294967295}));
  const attn::SafeTensors u64 =
      load("U64", little_endian<std::uint64_t>({0, 9007199254740993, 9223372036854775807}));
  EXPECT_EQ(u64.dtype("a"), Dtype::u64);
  EXPECT_EQ(u64.values<std::int64_t>("a"),
            (vector<std::int64_t>{0, 9007199254740993, 9223372036854775807}));
  EXPECT_EQ((load("U16", little_endian<std::uint16_t>({0, 1, 1})).get<bool, 1>("a")),
            attn::tensor<bool>({false, true, true}));
}

TEST(SafeTensorsDtypes, UnsignedIntegersThatAreLostAreNamed) {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& dtype, const std::string& data) {
    const auto path = folder / std::to_string(folder.count());  // the files before stay open
    put(path, beside_weight(dtype, "[2]", data));
    return attn::load_safetensors(path);
  };
  const auto refused = [&](const attn::SafeTensors& file, auto to) {
    const std::string text = sentence_of<attn::FileError>([&] { file.values<decltype(to)>("a"); });
    return text.substr(text.find(" has the "));
  };
  const attn::SafeTensors u16 = load("U16", little_endian<std::uint16_t>({7, 40000}));
  EXPECT_EQ(refused(u16, std::int16_t{}), " has the U16 40000 at index 1, which I16 cannot hold");
  EXPECT_EQ(refused(u16, std::uint8_t{}), " has the U16 40000 at index 1, which U8 cannot hold");
  const attn::SafeTensors u32 = load("U32", little_endian<std::uint32_t>({16777217, 4294967295}));
  EXPECT_EQ(refused(u32, float{}), " has the U32 16777217 at index 0, which F32 cannot hold");
  EXPECT_EQ(refused(u32, std::int32_t{}),
            " has the U32 4294967295 at index 1, which I32 cannot hold");
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  const attn::SafeTensors u64 = load("U64", little_endian<std::uint64_t>({1, largest}));
  EXPECT_EQ(refused(u64, std::int64_t{}),
            " has the U64 18446744073709551615 at index 1, which I64 cannot hold");
  EXPECT_EQ(refused(u64, double{}),
            " has the U64 18446744073709551615 at index 1, which F64 cannot hold");
  EXPECT_EQ(u64.values<std::uint64_t>("a"), (vector<std::uint64_t>{1, largest}));
}

TEST(SafeTensorsDtypes, UnsignedIntegersAreWrittenAndReadBack) {
  const TemporaryFolder folder;
  const auto u16 = attn::tensor<std::uint16_t>({0, 65535});
  const auto u32 = attn::tensor<std::uint32_t>({1, 4294967295});
  const auto u64 = attn::tensor<std::uint64_t>({2, std::numeric_limits<std::uint64_t>::max()});
  attn::SafeTensorsWriter().add("x", u16).add("y", u32).add("z", u64).save(folder / "f");
  const attn::SafeTensors file = attn::load_safetensors(folder / "f");
  EXPECT_EQ((file.get<std::uint16_t, 1>("x")), u16);
  EXPECT_EQ((file.get<std::uint32_t, 1>("y")), u32);
  EXPECT_EQ((file.get<std::uint64_t, 1>("z")), u64);
}

}  // namespace
