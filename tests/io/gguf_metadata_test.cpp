#include <attn/io/gguf.hpp>

#include <cmath>
#include <limits>

#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"
#include "gguf_builder.hpp"

namespace {

using attn::Index;
using std::string;
using std::vector;

const std::filesystem::path path = std::filesystem::path(ATTN_TESTS_DATA) / "gguf_types.gguf";

/// What is said where a key is asked for as another type, after the file's name.
template <class T>
string refused(const attn::Gguf& file, const string& key) {
  const string text = sentence_of<attn::FileError>([&] { file.metadata<T>(key); });
  const string where = "Gguf: metadata \"" + key + "\" of \"";
  EXPECT_EQ(text.substr(0, where.size()), where);
  return text.substr(text.find("\" has the ") + 2);
}

// The values that make_gguf_cases.py gives to the reference implementation.

TEST(GgufMetadata, ReadsEveryTypeOfThePythonPackage) {
  const attn::Gguf file = attn::load_gguf(path);
  EXPECT_EQ(file.metadata<string>("general.architecture"), "llama");
  EXPECT_EQ(file.metadata<string>("test.string"), "Wörter und 言葉 🙂");
  EXPECT_EQ(file.metadata<std::string_view>("test.string"), "Wörter und 言葉 🙂");
  EXPECT_EQ(file.metadata<std::uint8_t>("test.u8"), 255);
  EXPECT_EQ(file.metadata<std::int8_t>("test.i8"), -128);
  EXPECT_EQ(file.metadata<std::uint16_t>("test.u16"), 65535);
  EXPECT_EQ(file.metadata<std::int16_t>("test.i16"), -32768);
  EXPECT_EQ(file.metadata<std::uint32_t>("test.u32"), 4294967295u);
  EXPECT_EQ(file.metadata<std::int32_t>("test.i32"), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(file.metadata<float>("test.f32"), 1e-5f);
  EXPECT_EQ(file.metadata<std::uint64_t>("test.u64"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(file.metadata<std::int64_t>("test.i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(file.metadata<double>("test.f64"), 1e-300);
  EXPECT_TRUE(file.metadata<bool>("test.true"));
  EXPECT_FALSE(file.metadata<bool>("test.false"));
  EXPECT_EQ(file.metadata<vector<string>>("test.strings"),
            (vector<string>{"<s>", "", "Ġthe", "🙂"}));
  EXPECT_EQ(file.metadata<vector<std::string_view>>("test.strings"),
            (vector<std::string_view>{"<s>", "", "Ġthe", "🙂"}));
  EXPECT_EQ(file.metadata<vector<Index>>("test.integers"), (vector<Index>{1, -2, 3}));
  EXPECT_EQ(file.metadata<vector<bool>>("test.bools"), (vector<bool>{true, false, true}));
  const auto floats = file.metadata<vector<float>>("test.floats");
  EXPECT_EQ(floats, (vector<float>{0.5f, -0.0f, std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(std::signbit(floats[1]));
}

TEST(GgufMetadata, KeysAndTypes) {
  const attn::Gguf file = attn::load_gguf(path);
  const vector<string> keys = file.metadata_keys();
  EXPECT_EQ(keys.size(), 18u);
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_TRUE(file.contains_metadata("test.u8") && !file.contains_metadata("test.U8"));
  EXPECT_EQ(file.metadata_type("test.string"), "STRING");
  EXPECT_EQ(file.metadata_type("test.true"), "BOOL");
  EXPECT_EQ(file.metadata_type("test.f64"), "F64");
  EXPECT_EQ(file.metadata_type("test.strings"), "STRING[4]");
  EXPECT_EQ(file.metadata_type("test.integers"), "I32[3]");
}

TEST(GgufMetadata, NumbersAreReadAsWhatHoldsThem) {
  const attn::Gguf file = attn::load_gguf(path);
  EXPECT_EQ(file.metadata<Index>("test.u8"), 255);
  EXPECT_EQ(file.metadata<int>("test.i8"), -128);
  EXPECT_EQ(file.metadata<std::uint64_t>("test.u32"), 4294967295u);
  EXPECT_EQ(file.metadata<double>("test.i8"), -128);
  EXPECT_EQ(file.metadata<double>("test.i64"), -0x1p63);
  EXPECT_EQ(file.metadata<double>("test.f32"), double(1e-5f));
  EXPECT_EQ(file.metadata<float>("test.f64"), 0.0f);  // rounded
  EXPECT_EQ(file.metadata<vector<double>>("test.integers"), (vector<double>{1, -2, 3}));
  EXPECT_EQ(file.metadata<vector<std::int8_t>>("test.integers"), (vector<std::int8_t>{1, -2, 3}));
}

TEST(GgufMetadata, AValueThatIsLostIsNamed) {
  const attn::Gguf file = attn::load_gguf(path);
  EXPECT_EQ(refused<std::int8_t>(file, "test.u8"),
            "has the U8 255 at index 0, which I8 cannot hold");
  EXPECT_EQ(refused<std::uint64_t>(file, "test.i8"),
            "has the I8 -128 at index 0, which U64 cannot hold");
  EXPECT_EQ(refused<std::int64_t>(file, "test.u64"),
            "has the U64 18446744073709551615 at index 0, which I64 cannot hold");
  EXPECT_EQ(refused<double>(file, "test.u64"),
            "has the U64 18446744073709551615 at index 0, which F64 cannot hold");
  EXPECT_EQ(refused<vector<std::uint32_t>>(file, "test.integers"),
            "has the I32 -2 at index 1, which U32 cannot hold");
}

TEST(GgufMetadata, AnotherTypeIsRefused) {
  const attn::Gguf file = attn::load_gguf(path);
  EXPECT_EQ(refused<Index>(file, "test.string"),
            sizeof(Index) == 8 ? "has the type STRING, but was asked for as I64"
                               : "has the type STRING, but was asked for as I32");
  EXPECT_EQ(refused<string>(file, "test.u8"), "has the type U8, but was asked for as STRING");
  EXPECT_EQ(refused<std::string_view>(file, "test.strings"),
            "has the type STRING[4], but was asked for as STRING");
  EXPECT_EQ(refused<vector<string>>(file, "test.string"),
            "has the type STRING, but was asked for as STRING[]");
  EXPECT_EQ(refused<vector<string>>(file, "test.integers"),
            "has the type I32[3], but was asked for as STRING[]");
  EXPECT_EQ(refused<vector<float>>(file, "test.f32"),
            "has the type F32, but was asked for as F32[]");
  EXPECT_EQ(refused<float>(file, "test.floats"), "has the type F32[3], but was asked for as F32");
  EXPECT_EQ(refused<std::int32_t>(file, "test.f32"), "has the type F32, but was asked for as I32");
  EXPECT_EQ(refused<vector<std::uint8_t>>(file, "test.floats"),
            "has the type F32[3], but was asked for as U8[]");
  EXPECT_EQ(refused<bool>(file, "test.u8"), "has the type U8, but was asked for as BOOL");
  EXPECT_EQ(refused<std::int32_t>(file, "test.true"),
            "has the type BOOL, but was asked for as I32");
  EXPECT_EQ(refused<double>(file, "test.true"), "has the type BOOL, but was asked for as F64");
  EXPECT_EQ(refused<vector<bool>>(file, "test.strings"),
            "has the type STRING[4], but was asked for as BOOL[]");
}

TEST(GgufMetadata, AMissingKeyIsNamedAndWhatIsClosest) {
  const attn::Gguf file = attn::load_gguf(path);
  const string where = "Gguf: \"" + path.string() + "\" has no metadata ";
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.metadata<Index>("test.u46"); }),
            where + "\"test.u46\"; the closest is \"test.u16\"");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { file.metadata_type("tokenizer.ggml.model"); }),
            where + "\"tokenizer.ggml.model\"");
}

/// The layout of every type by the format's document, whatever the machine's order of bytes.
TEST(GgufMetadata, EveryTypeHasItsNumber) {
  const TemporaryFolder folder;

  const vector<string> parts = {
      gguf::metadata("00", 0, "\xFE"),
      gguf::metadata("01", 1, "\xFE"),
      gguf::metadata("02", 2, "\xFE\xFF"),
      gguf::metadata("03", 3, "\xFE\xFF"),
      gguf::metadata("04", 4, "\xFE\xFF\xFF\xFF"),
      gguf::metadata("05", 5, "\xFE\xFF\xFF\xFF"),
      gguf::metadata("06", 6, string("\0\0\xC0\x3F", 4)),
      gguf::metadata("07", 7, "\1"),
      gguf::metadata("08", 8, string("\2\0\0\0\0\0\0\0ab", 10)),
      gguf::metadata("09", 9, string("\2\0\0\0\2\0\0\0\0\0\0\0\1\2\3\4", 16)),
      gguf::metadata("10", 10, string("\1\2\0\0\0\0\0\0", 8)),
      gguf::metadata("11", 11, "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
      gguf::metadata("12", 12, string("\0\0\0\0\0\0\xF8\xBF", 8))};
  for (const std::uint32_t version : {2u, 3u}) {
    const auto name = folder / std::to_string(version);
    put(name, gguf::File{.metadata = parts, .version = version}.bytes());
    const attn::Gguf file = attn::load_gguf(name);
    const string types[] = {"U8",   "I8",     "U16",    "I16", "U32", "I32", "F32",
                            "BOOL", "STRING", "U16[2]", "U64", "I64", "F64"};
    for (std::size_t i = 0; i < 13; ++i)
      EXPECT_EQ(file.metadata_type(file.metadata_keys()[i]), types[i]);
    EXPECT_EQ(file.metadata<Index>("00"), 254);
    for (const string key : {"01", "03", "05", "11"}) EXPECT_EQ(file.metadata<Index>(key), -2);
    EXPECT_EQ(file.metadata<Index>("02"), 65534);
    EXPECT_EQ(file.metadata<std::uint32_t>("04"), 4294967294u);
    EXPECT_EQ(file.metadata<float>("06"), 1.5f);
    EXPECT_TRUE(file.metadata<bool>("07"));
    EXPECT_EQ(file.metadata<string>("08"), "ab");
    EXPECT_EQ(file.metadata<vector<Index>>("09"), (vector<Index>{513, 1027}));
    EXPECT_EQ(file.metadata<Index>("10"), 513);
    EXPECT_EQ(file.metadata<double>("12"), -1.5);
  }
}

/// Views stay where they are as long as a copy of the file lives.
TEST(GgufMetadata, ViewsLieInTheFile) {
  const auto load = [] {
    const attn::Gguf file = attn::load_gguf(path);
    return std::pair(file, file.metadata<vector<std::string_view>>("test.strings"));
  };
  const auto [file, views] = load();
  EXPECT_EQ(views[2], "Ġthe");
  EXPECT_EQ(views[2].data(), file.metadata<vector<std::string_view>>("test.strings")[2].data());
}

static_assert(attn::GgufMetadata<Index> && attn::GgufMetadata<vector<vector<Index>>> == false);
static_assert(!attn::GgufMetadata<char> && !attn::GgufMetadata<const char*> &&
              !attn::GgufMetadata<long double> && !attn::GgufMetadata<vector<char>>);

}  // namespace
