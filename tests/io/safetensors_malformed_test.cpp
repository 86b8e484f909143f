#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/io/safetensors.hpp>
#include <random>

namespace {

struct Malformed {
  std::string name, bytes, sentence;
};

std::string length(std::uint64_t n) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(n >> (8 * i) & 0xFF);
  return bytes;
}
std::string file(const std::string& header, std::size_t data = 0) {
  return length(header.size()) + header + std::string(data, '\1');
}
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}
/// A file whose only entry is "a", with a shape, offsets and data.
std::string one(const std::string& shape, const std::string& offsets, std::size_t data = 0,
                const std::string& dtype = "F32") {
  return file("{" + entry("a", dtype, shape, offsets) + "}", data);
}
std::string times(std::size_t n, const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < n; ++i) result += text;
  return result;
}

std::string no_json(int byte) {
  return "the header must be JSON in UTF-8, which it is not at its byte " + std::to_string(byte);
}
std::string no_dtype(const std::string& text) {
  return "the dtype of \"a\" must be a name in capital letters, digits and _, such as F32, not \"" +
         text + "\"";
}
const std::string first = "the header must begin with {";
const std::string object = "entry \"a\" must be an object of dtype, shape and data_offsets, not ";
const std::string strings = "entry \"__metadata__\" must be an object of strings, not ";
const std::string dtype = "the dtype of \"a\" must be a string, not ";
const std::string shape = "the shape of \"a\" must be an array of non-negative integers, not ";
const std::string offsets =
    "the data_offsets of \"a\" must be an array of two non-negative integers, not ";
const std::string many_bytes = "the shape of \"a\" has more bytes than this machine can address";
constexpr bool is_wide = sizeof(attn::Index) == 8;
const std::string two63 = "9223372036854775808", two64 = "18446744073709551616";

const std::vector<Malformed>& all() {
  static const std::vector<Malformed> files{
      // The length.
      {"empty", "", "the file has 0 bytes and must have at least 8"},
      {"seven bytes", "1234567", "the file has 7 bytes and must have at least 8"},
      {"length over the limit", length(100000001) + "{}",
       "the header's length 100000001 must be at most 100000000"},
      {"length 2^64 - 1", length(~std::uint64_t{0}) + "{}",
       "the header's length 18446744073709551615 must be at most 100000000"},
      {"length 2^63", length(std::uint64_t{1} << 63) + "{}",
       "the header's length 9223372036854775808 must be at most 100000000"},
      {"length at the limit, beyond the file", length(100000000) + "{}",
       "the header's length 100000000 must be at most the 2 bytes after it"},
      {"length one beyond the file", length(3) + "{}",
       "the header's length 3 must be at most the 2 bytes after it"},
      {"length big-endian", std::string("\0\0\0\0\0\0\0\2{}", 10),
       "the header's length 144115188075855872 must be at most 100000000"},
      {"length one short", length(1) + "{}", no_json(2)},
      {"length 0", length(0), first},
      {"length 0, with data", length(0) + "{}", first},
      // JSON.
      {"an array", file("[]"), first},
      {"a space before", file(" {}"), first},
      {"a byte order mark", file("\xEF\xBB\xBF{}"), first},
      {"a string", file("\"a\""), first},
      {"null", file("null"), first},
      {"no end", file("{"), no_json(2)},
      {"no end after an entry", file("{" + entry("a", "F32", "[1]", "[0,4]"), 4), no_json(54)},
      {"a comma at the end", file("{" + entry("a", "F32", "[1]", "[0,4]") + ",}", 4), no_json(55)},
      {"two values", file("{}{}"), no_json(3)},
      {"text after", file("{} x"), no_json(4)},
      {"zeros after", file(std::string("{}\0\0", 4)), no_json(3)},
      {"something hidden behind a zero", file(std::string("{}\0{\"a\":1}", 10)), no_json(3)},
      {"a zero in a name", file(std::string("{\"a\0\":1}", 8)), no_json(4)},
      {"single quotes", file("{'a':1}"), no_json(2)},
      {"no quotes", file("{a:1}"), no_json(2)},
      {"a comment", file("{/* */}"), no_json(2)},
      {"a line break in a name", file("{\"a\n\":{}}"), no_json(4)},
      {"bytes that are not UTF-8", file("{\"a\xFF\":{}}"), no_json(4)},
      {"UTF-8 cut short", file("{\"\xC3\":{}}"), no_json(4)},
      {"an overlong slash", file("{\"\xC0\xAF\":{}}"), no_json(3)},
      {"a surrogate in UTF-8", file("{\"\xED\xA0\x80\":{}}"), no_json(4)},
      {"half a surrogate pair", file("{\"\\ud800\":{}}"), no_json(9)},
      {"an unknown escape", file("{\"\\x41\":{}}"), no_json(4)},
      {"NaN", file("{\"a\":NaN}"), no_json(6)},
      {"a number that begins with 0", one("[01]", "[0,4]", 4), no_json(31)},
      {"a number in hexadecimal", one("[0x1]", "[0,4]", 4), no_json(31)},
      {"a number with a plus", one("[+1]", "[0,4]", 4), no_json(30)},
      {"a number beyond double", one("[1e999]", "[0,4]", 4), no_json(34)},
      // Entries.
      {"an entry that is a number", file("{\"a\":1}"), object + "1"},
      {"an entry that is null", file("{\"a\":null}"), object + "null"},
      {"an entry that is true", file("{\"a\":true}"), object + "true"},
      {"an entry that is a string", file("{\"a\":\"F32\"}"), object + "a string"},
      {"an entry that is an array", file("{\"a\":[]}"), object + "an array"},
      {"an entry without anything", file("{\"a\":{}}"), "entry \"a\" has no dtype"},
      {"no dtype", file(R"({"a":{"shape":[],"data_offsets":[0,4]}})", 4),
       "entry \"a\" has no dtype"},
      {"no shape", file(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4),
       "entry \"a\" has no shape"},
      {"no data_offsets", file(R"({"a":{"dtype":"F32","shape":[1]}})", 4),
       "entry \"a\" has no data_offsets"},
      {"a key too many",
       file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":""}})", 4),
       "entry \"a\" has a key \"note\", but must have exactly dtype, shape and data_offsets"},
      {"a key in capitals", file(R"({"a":{"DType":"F32"}})"),
       "entry \"a\" has a key \"DType\", but must have exactly dtype, shape and data_offsets"},
      {"a name twice",
       file("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[4,8]") + "}",
            8),
       "the header has two entries \"a\""},
      {"a name twice, once as an escape",
       file("{" + entry("a", "F32", "[1]", "[0,4]") + "," +
                entry("\\u0061", "F32", "[1]", "[0,4]") + "}",
            4),
       "the header has two entries \"a\""},
      {"dtype twice",
       file(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
       "entry \"a\" has two keys \"dtype\""},
      {"shape twice",
       file(R"({"a":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,4]}})", 4),
       "entry \"a\" has two keys \"shape\""},
      {"data_offsets twice", file(R"({"a":{"data_offsets":[0,8],"data_offsets":[0,4]}})", 4),
       "entry \"a\" has two keys \"data_offsets\""},
      {"a name of many bytes and lines", file("{\"" + times(300, "\\n") + "\":1}"),
       "entry \"" + std::string(100, '?') +
           "…\" must be an object of dtype, shape and data_offsets, not 1"},
      // Types.
      {"dtype a number", file(R"({"a":{"dtype":7}})"), dtype + "7"},
      {"dtype null", file(R"({"a":{"dtype":null}})"), dtype + "null"},
      {"dtype an array", file(R"({"a":{"dtype":["F32"]}})"), dtype + "an array"},
      {"dtype an object", file(R"({"a":{"dtype":{}}})"), dtype + "an object"},
      {"dtype empty", one("[1]", "[0,4]", 4, ""), no_dtype("")},
      {"dtype in small letters", one("[1]", "[0,4]", 4, "f32"), no_dtype("f32")},
      {"dtype of PyTorch", one("[1]", "[0,4]", 4, "torch.float32"), no_dtype("torch.float32")},
      {"dtype with a space", one("[1]", "[0,4]", 4, "F 32"), no_dtype("F 32")},
      {"dtype that begins with a digit", one("[1]", "[0,4]", 4, "32F"), no_dtype("32F")},
      {"a byte too few in F8_E4M3", one("[4]", "[0,3]", 3, "F8_E4M3"),
       "the data_offsets [0, 3] of \"a\" must hold the 4 bytes of its shape in F8_E4M3"},
      {"a byte too many in U16", one("[2]", "[0,5]", 5, "U16"),
       "the data_offsets [0, 5] of \"a\" must hold the 4 bytes of its shape in U16"},
      {"bytes of F4 for each element", one("[8]", "[0,8]", 8, "F4"),
       "the data_offsets [0, 8] of \"a\" must hold the 4 bytes of its shape in F4"},
      {"half a byte of F4", one("[3]", "[0,2]", 2, "F4"),
       "the shape of \"a\" must fill whole bytes in F4, which has 4 bits"},
      {"part of a byte of F6", one("[2,3]", "[0,5]", 5, "F6_E3M2"),
       "the shape of \"a\" must fill whole bytes in F6_E3M2, which has 6 bits"},
      {"a product of 2^60 C64", one("[1152921504606846976]", "[0,8]", 8, "C64"), many_bytes},
      {"a product of 2^64 of an unknown size", one("[4294967296,4294967296]", "[0,8]", 8, "X9"),
       many_bytes},
      {"offsets backwards of an unknown size", one("[1]", "[4,0]", 4, "X9"),
       "the data_offsets [4, 0] of \"a\" must not end before they begin"},
      {"data missing of an unknown size", one("[1]", "[0,8]", 7, "X9"),
       "the entries have 8 bytes of data, but the file has 7"},
      // Shapes.
      {"shape a number", one("4", "[0,16]", 16), shape + "4"},
      {"shape null", one("null", "[0,4]", 4), shape + "null"},
      {"shape a string", one("\"[1]\"", "[0,4]", 4), shape + "a string"},
      {"shape an object", one("{}", "[0,4]", 4), shape + "an object"},
      {"a negative extent", one("[2,-1]", "[0,4]", 4), shape + "-1"},
      {"an extent of minus zero", one("[-0]", "[0,0]"), shape + "-0"},
      {"an extent of 1.0", one("[1.0]", "[0,4]", 4), shape + "1.0"},
      {"an extent of 1e0", one("[1e0]", "[0,4]", 4), shape + "1e0"},
      {"an extent of 2^63", one("[" + two63 + "]", "[0,4]", 4), shape + two63},
      {"an extent of 2^64", one("[" + two64 + "]", "[0,4]", 4), shape + two64},
      {"an extent as a string", one("[\"1\"]", "[0,4]", 4), shape + "a string"},
      {"an extent of true", one("[true]", "[0,4]", 4), shape + "true"},
      {"an extent of null", one("[null]", "[0,4]", 4), shape + "null"},
      {"an extent in an array", one("[[1]]", "[0,4]", 4), shape + "an array"},
      {"an extent in an object", one("[{}]", "[0,4]", 4), shape + "an object"},
      {"a product over 64 bits", one("[4294967296,4294967296]", "[0,0]"), many_bytes},
      {"a product that wraps to 4", one("[4294967297,4294967297,1073741824,1]", "[0,4]", 4),
       many_bytes},
      {"a product of 2^62 F32", one("[4611686018427387904]", "[0,4]", 4), many_bytes},
      {"a product over 64 bits times 0", one("[4294967296,4294967296,0]", "[0,0]"), many_bytes},
      // Offsets.
      {"offsets a number", one("[1]", "0", 4), offsets + "0"},
      {"offsets null", one("[1]", "null", 4), offsets + "null"},
      {"offsets an object", one("[1]", "{}", 4), offsets + "an object"},
      {"no offsets", one("[1]", "[]", 4), offsets + "fewer"},
      {"one offset", one("[1]", "[0]", 4), offsets + "fewer"},
      {"three offsets", one("[1]", "[0,4,4]", 4), offsets + "more"},
      {"a negative offset", one("[1]", "[-4,0]", 4), offsets + "-4"},
      {"an offset of 4.0", one("[1]", "[0,4.0]", 4), offsets + "4.0"},
      {"an offset of 2^63", one("[1]", "[0," + two63 + "]", 4), offsets + two63},
      {"an offset of 2^64 + 4", one("[1]", "[0,18446744073709551620]", 4),
       offsets + "18446744073709551620"},
      {"an offset as a string", one("[1]", "[0,\"4\"]", 4), offsets + "a string"},
      {"offsets in arrays", one("[1]", "[[0],[4]]", 4), offsets + "an array"},
      {"offsets backwards", one("[1]", "[4,0]", 4),
       "the data_offsets [4, 0] of \"a\" must not end before they begin"},
      {"a byte too few", one("[2]", "[0,7]", 7),
       "the data_offsets [0, 7] of \"a\" must hold the 8 bytes of its shape in F32"},
      {"a byte too many", one("[2]", "[0,9]", 9),
       "the data_offsets [0, 9] of \"a\" must hold the 8 bytes of its shape in F32"},
      {"bytes of another type", one("[2]", "[0,8]", 8, "F64"),
       "the data_offsets [0, 8] of \"a\" must hold the 16 bytes of its shape in F64"},
      {"bytes for a scalar", one("[]", "[0,0]"),
       "the data_offsets [0, 0] of \"a\" must hold the 4 bytes of its shape in F32"},
      {"bytes for an extent of 0", one("[3,0]", "[0,4]", 4),
       "the data_offsets [0, 4] of \"a\" must hold the 0 bytes of its shape in F32"},
      {"data that begin late", one("[1]", "[4,8]", 8),
       "the data of \"a\" must begin at 0, where the data before it ends, not at 4"},
      {"a hole",
       file(
           "{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[8,12]") + "}",
           12),
       "the data of \"b\" must begin at 4, where the data before it ends, not at 8"},
      {"an overlap",
       file(
           "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}",
           12),
       "the data of \"b\" must begin at 8, where the data before it ends, not at 4"},
      {"the same data twice",
       file("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "I32", "[1]", "[0,4]") + "}",
            4),
       "the data of \"b\" must begin at 4, where the data before it ends, not at 0"},
      {"nothing within others' data",
       file("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[0]", "[4,4]") + "}",
            8),
       "the data of \"b\" must begin at 8, where the data before it ends, not at 4"},
      {"nothing after the end",
       file("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[0]", "[8,8]") + "}",
            4),
       "the data of \"b\" must begin at 4, where the data before it ends, not at 8"},
      {"data missing", one("[2]", "[0,8]", 7),
       "the entries have 8 bytes of data, but the file has 7"},
      {"data missing, nearly 2^63",
       one("[9223372036854775807]", "[0,9223372036854775807]", 4, "U8"),
       is_wide ? "the entries have 9223372036854775807 bytes of data, but the file has 4"
               : many_bytes},
      {"data left over", one("[2]", "[0,8]", 9),
       "the entries have 8 bytes of data, but the file has 9"},
      {"data without an entry", file("{}", 1),
       "the entries have 0 bytes of data, but the file has 1"},
      {"a line break at the end of the file", one("[2]", "[0,8]", 8) + "\n",
       "the entries have 8 bytes of data, but the file has 9"},
      // Metadata.
      {"metadata null", file(R"({"__metadata__":null})"), strings + "null"},
      {"metadata a string", file(R"({"__metadata__":"pt"})"), strings + "a string"},
      {"metadata an array", file(R"({"__metadata__":[]})"), strings + "an array"},
      {"metadata with a number", file(R"({"__metadata__":{"step":3}})"), strings + "3"},
      {"metadata with null", file(R"({"__metadata__":{"step":null}})"), strings + "null"},
      {"metadata with true", file(R"({"__metadata__":{"step":true}})"), strings + "true"},
      {"metadata with an array", file(R"({"__metadata__":{"step":["3"]}})"), strings + "an array"},
      {"metadata with an object", file(R"({"__metadata__":{"step":{}}})"), strings + "an object"},
      {"metadata twice", file(R"({"__metadata__":{},"__metadata__":{}})"),
       "the header has two entries \"__metadata__\""},
      {"a key of metadata twice", file(R"({"__metadata__":{"k":"1","k":"2"}})"),
       "entry \"__metadata__\" has two keys \"k\""},
      {"a tensor by the name of metadata",
       file("{" + entry("__metadata__", "F32", "[]", "[0,4]") + "}", 4), strings + "an array"},
      // Depth.
      {"a million arrays", file("{\"a\":" + times(1000000, "[")), object + "an array"},
      {"a million objects", file(times(1000000, "{\"a\":")),
       "entry \"a\" has a key \"a\", but must have exactly dtype, shape and data_offsets"},
      {"a million arrays in a shape", one(times(1000000, "["), ""), shape + "an array"},
  };
  return files;
}

TEST(SafeTensorsMalformed, EveryFileGetsItsSentence) {
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  for (const Malformed& m : all()) {
    SCOPED_TRACE(m.name);
    put(path, m.bytes);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_safetensors(path); }),
              "load_safetensors: \"" + path.string() + "\": " + m.sentence);
  }
  EXPECT_GE(all().size(), 60u);
}

/// The files above have no other fault than the one that is named.
TEST(SafeTensorsMalformed, WellFormedNeighborsLoad) {
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  const std::string sound[] = {
      file("{}"),
      file("{}      "),
      file("{ \"a\" : { \"shape\" : [ 1 ] ,\t\"data_offsets\":[0,4],\r\n\"dtype\":\"F32\"}}  ", 4),
      file(R"({"__metadata__":{}})"),
      one("[2]", "[0,8]", 8),
      one("[]", "[0,4]", 4),
      one("[0]", "[0,0]"),
      one("[0," + std::to_string(std::numeric_limits<attn::Index>::max()) + "]", "[0,0]", 0, "U8"),
      file("{" + entry("b", "F32", "[1]", "[4,8]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}",
           8),
      file("{" + entry("c", "F32", "[0]", "[4,4]") + "," + entry("b", "F32", "[1]", "[4,8]") + "," +
               entry("a", "F32", "[1]", "[0,4]") + "," + entry("z", "F32", "[0]", "[0,0]") + "," +
               entry("y", "U8", "[0]", "[8,8]") + "}",
           8),
      file("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F64", "[1]", "[1,9]") + "}",
           9),  // unaligned
      file("{" + entry("\\ud83d\\ude42\\u0000", "F32", "[1]", "[0,4]") + "}", 4),
  };
  for (const std::string& bytes : sound) {
    put(path, bytes);
    EXPECT_NO_THROW(attn::load_safetensors(path)) << bytes.substr(8);
  }
}

std::string valid() {
  return file("{\"__metadata__\":{\"a\":\"b\"}," + entry("a", "U8", "[3]", "[0,3]") + "," +
                  entry("b", "F32", "[2,1]", "[3,11]") + "}",
              11);
}

/// Loads a file and reads all of it; true if that succeeds. It may throw nothing but FileError.
bool reads(const std::filesystem::path& path, const std::string& bytes) {
  put(path, bytes);
  try {
    const attn::SafeTensors file = attn::load_safetensors(path);
    for (const std::string& name : file.names()) file.values<double>(name);
    return true;
  } catch (const attn::FileError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return false;
  }
}

TEST(SafeTensorsMalformed, EveryTruncatedFileIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = valid();
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(reads(folder / "m", whole.substr(0, n))) << n;
  EXPECT_TRUE(reads(folder / "m", whole));
}

TEST(SafeTensorsMalformed, FlippedBitsDoNoHarm) {
  const TemporaryFolder folder;
  const std::string whole = valid();
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    refused += !reads(folder / "m", flipped);
  }
  EXPECT_GT(refused, 1000);
  std::mt19937 random(7);  // NOLINT: the same files each time
  for (int i = 0; i < 5000; ++i) {
    std::string changed = whole;
    for (auto n = random() % 4 + 1; n > 0; --n) {
      const std::size_t at = random() % changed.size();
      if (random() % 3 == 0) changed.erase(at, random() % 8);
      else if (random() % 2 == 0)
        changed.insert(at, 1, static_cast<char>("{}[],:\"0-9\\e.\0x\xff"[random() % 17]));
      else changed[at] = static_cast<char>(random());
    }
    reads(folder / "m", changed);
  }
}

}  // namespace
