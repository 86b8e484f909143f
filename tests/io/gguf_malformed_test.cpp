#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/io/gguf.hpp>

#include "gguf_builder.hpp"

namespace {

using gguf::array, gguf::File, gguf::metadata, gguf::number, gguf::tensor, gguf::text, gguf::u32,
    gguf::u64;
using Parts = std::vector<std::string>;

struct Malformed {
  std::string name, bytes, sentence;
};

constexpr std::uint64_t two62 = std::uint64_t{1} << 62, two63 = std::uint64_t{1} << 63,
                        most = ~std::uint64_t{0};
constexpr std::uint32_t u8_type = 0, u32_type = 4, bool_type = 7, string_type = 8, array_type = 9;
constexpr std::uint32_t f32 = 0, q4_0 = 2, q8_0 = 8, q4_k = 12, i8 = 24;

/// A header that claims these counts, and what follows it.
std::string counts(std::uint64_t tensors, std::uint64_t keys, const std::string& rest = "") {
  return "GGUF" + u32(3) + u64(tensors) + u64(keys) + rest;
}
std::string of(const Parts& metadata) { return File{.metadata = metadata}.bytes(); }
std::string with(const Parts& tensors, std::size_t data) {
  return File{.tensors = tensors, .data = data}.bytes();
}
/// A file with this alignment and one tensor of two F32.
std::string aligned(const std::string& entry, std::size_t alignment = 32,
                    std::uint64_t offset = 0) {
  return File{.metadata = {entry},
              .tensors = {tensor("a", {2}, f32, offset)},
              .data = 8,
              .alignment = alignment}
      .bytes();
}
std::string alignment(std::uint32_t value) {
  return metadata("general.alignment", u32_type, u32(value));
}

const std::string magic = "the file must begin with GGUF, which it does not";
const std::string address = ", which is more than this machine can address";
const std::string wanted =
    "metadata \"general.alignment\" must be a U32, a power of two and at least 8, not ";

std::vector<Malformed> headers() {
  return {
      {"empty", "", magic},
      {"three bytes", "GGU", magic},
      {"GGML", "ggml" + u32(1), magic},
      {"GGJT", "tjgg" + u32(3), magic},
      {"small letters", "gguf" + counts(0, 0).substr(4), magic},
      {"the magic reversed", "FUGG" + counts(0, 0).substr(4), magic},
      {"a byte before", " " + counts(0, 0), magic},
      {"an HTML page", "<!DOCTYPE html><html></html>", magic},
      {"a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\n", magic},
      {"a safetensors file", u64(2) + "{}",
       "the file is a safetensors file, which load_safetensors opens"},
      {"only the magic", "GGUF", "the file ends within the version"},
      {"half of the version", "GGUF" + u32(3).substr(0, 2), "the file ends within the version"},
      {"version 0", "GGUF" + u32(0) + u64(0) + u64(0), "the version is 0 and must be 2 or 3"},
      {"version 1", "GGUF" + u32(1) + u32(0) + u32(0), "the version is 1 and must be 2 or 3"},
      {"version 4", "GGUF" + u32(4) + u64(0) + u64(0), "the version is 4 and must be 2 or 3"},
      {"version 2^32 - 1", "GGUF" + u32(~0u) + u64(0) + u64(0),
       "the version is 4294967295 and must be 2 or 3"},
      {"big-endian, version 2", "GGUF" + u32(0x02000000) + u64(0) + u64(0),
       "the file is big-endian, of version 2, and must be little-endian"},
      {"big-endian, version 3", "GGUF" + u32(0x03000000) + u64(0) + u64(0),
       "the file is big-endian, of version 3, and must be little-endian"},
      {"no counts", "GGUF" + u32(3), "the file ends within the number of tensors"},
      {"no number of metadata", "GGUF" + u32(3) + u64(0),
       "the file ends within the number of keys"},
      {"counts of 4 bytes", "GGUF" + u32(3) + u32(0) + u32(0),
       "the file ends within the number of keys"},
      {"a tensor too many", counts(1, 0),
       "the number of tensors is 1, each of at least 24 bytes, but 8 bytes follow"},
      {"2^64 - 1 tensors", counts(most, 0, std::string(100, '\0')),
       "the number of tensors is 18446744073709551615, each of at least 24 bytes, but "
       "108 bytes follow"},
      {"a key too many", counts(0, 1, std::string(12, '\0')),
       "the number of keys is 1, each of at least 13 bytes, but 12 bytes follow"},
      {"2^63 keys", counts(0, two63, std::string(100, '\0')),
       "the number of keys is 9223372036854775808, each of at least 13 bytes, but "
       "100 bytes follow"},
      {"data without a tensor", counts(0, 0, std::string(8 + 32, '\0')),
       "the tensors have 0 bytes of data, but the file has 32"},
  };
}

std::vector<Malformed> values() {
  const std::string in_a = " of metadata \"a\"";
  return {
      // Keys.
      {"a key beyond the file", counts(0, 1, u64(10) + "short" + u32(0)),
       "the key of metadata 0 has the length 10, but 9 bytes follow"},
      {"a key of 2^64 - 1 bytes", counts(0, 1, u64(most) + "short" + u32(0)),
       "the key of metadata 0 has the length 18446744073709551615, but 9 bytes follow"},
      {"a key of 2^63 bytes", counts(0, 1, u64(two63) + "short" + u32(0)),
       "the key of metadata 0 has the length 9223372036854775808, but 9 bytes follow"},
      {"a key of 65536 bytes", of({metadata(std::string(65536, 'a'), bool_type, "\1")}),
       "the key of metadata 0 has 65536 bytes and must have at most 65535"},
      {"a key that is not UTF-8", of({metadata("a\xFF", bool_type, "\1")}),
       "the key of metadata 0 must be UTF-8"},
      {"a key cut within a character", of({metadata("a\xC3", bool_type, "\1")}),
       "the key of metadata 0 must be UTF-8"},
      {"an overlong slash", of({metadata("\xC0\xAF", bool_type, "\1")}),
       "the key of metadata 0 must be UTF-8"},
      {"a surrogate", of({metadata("b", bool_type, "\1"), metadata("\xED\xA0\x80", 0, "\1")}),
       "the key of metadata 1 must be UTF-8"},
      {"a key twice", of({metadata("a", bool_type, "\1"), metadata("a", bool_type, "\1")}),
       "the header has two keys \"a\""},
      {"a key twice, of other types",
       of({metadata("", bool_type, "\1"), metadata("b", u8_type, "\1"), metadata("", 1, "\1")}),
       "the header has two keys \"\""},
      // Types.
      {"type 13", of({metadata("a", 13, "\1")}),
       "the type" + in_a + " must be a number from 0 to 12, not 13"},
      {"type 2^32 - 1", of({metadata("a", ~0u, "\1")}),
       "the type" + in_a + " must be a number from 0 to 12, not 4294967295"},
      {"a type cut short", counts(0, 1, text("abcd") + "1"),
       "the file ends within the type of metadata \"abcd\""},
      {"no value", counts(0, 1, text("a") + u32(u8_type)), "the file ends within the value" + in_a},
      {"a value cut short", counts(0, 1, text("a") + u32(u32_type) + "\1\1\1"),
       "the file ends within the value" + in_a},
      {"an F64 cut short", counts(0, 1, text("a") + u32(12) + std::string(7, '\1')),
       "the file ends within the value" + in_a},
      {"a BOOL of 2", of({metadata("a", bool_type, "\2")}),
       "a BOOL" + in_a + " must be 0 or 1, not 2"},
      {"a BOOL of 255", of({metadata("a", bool_type, "\xFF")}),
       "a BOOL" + in_a + " must be 0 or 1, not 255"},
      // Strings.
      {"a string without a length", of({metadata("a", string_type, "abc")}),
       "the file ends within the value" + in_a},
      {"a string beyond the file", of({metadata("a", string_type, u64(4) + "abc")}),
       "the value" + in_a + " has the length 4, but 3 bytes follow"},
      {"a string of 2^64 - 1 bytes", of({metadata("a", string_type, u64(most) + "abc")}),
       "the value" + in_a + " has the length 18446744073709551615, but 3 bytes follow"},
      {"a string of 2^64 - 8 bytes", of({metadata("a", string_type, u64(most - 7) + "abc")}),
       "the value" + in_a + " has the length 18446744073709551608, but 3 bytes follow"},
      // Arrays.
      {"an array without a type", of({metadata("a", array_type, "\0\0")}),
       "the file ends within the element type" + in_a},
      {"an array of type 13", of({array("a", 13, 0, "")}),
       "the element type" + in_a + " must be a number from 0 to 12, not 13"},
      {"an array of arrays", of({array("a", array_type, 1, u32(u8_type) + u64(1) + "\1")}),
       "metadata \"a\" must not be an array of arrays"},
      {"an empty array of arrays", of({array("a", array_type, 0, "")}),
       "metadata \"a\" must not be an array of arrays"},
      {"a million arrays", of({array("a", array_type, 1, std::string(12000000, '\x09'))}),
       "metadata \"a\" must not be an array of arrays"},
      {"an array without a length", of({metadata("a", array_type, u32(u8_type) + "1234567")}),
       "the file ends within the number of elements" + in_a},
      {"an array beyond the file", of({array("a", u32_type, 3, std::string(11, '\1'))}),
       "metadata \"a\" has 3 elements, each of at least 4 bytes, but 11 bytes follow"},
      {"an array of 2^62 + 1 U32", of({array("a", u32_type, two62 + 1, std::string(4, '\1'))}),
       "metadata \"a\" has 4611686018427387905 elements, each of at least 4 bytes, but 4 bytes "
       "follow"},
      {"an array of 2^64 - 1 U8", of({array("a", u8_type, most, "\1")}),
       "metadata \"a\" has 18446744073709551615 elements, each of at least 1 bytes, but 1 bytes "
       "follow"},
      {"an array of BOOL with a 3", of({array("a", bool_type, 3, std::string("\0\1\3", 3))}),
       "a BOOL" + in_a + " must be 0 or 1, not 3"},
      {"an array of too many strings", of({array("a", string_type, 3, text("") + text("1234567"))}),
       "metadata \"a\" has 3 elements, each of at least 8 bytes, but 23 bytes follow"},
      {"an array of 2^61 strings", of({array("a", string_type, two63 / 4, text("b"))}),
       "metadata \"a\" has 2305843009213693952 elements, each of at least 8 bytes, but 9 bytes "
       "follow"},
      {"a string of an array beyond the file",
       of({array("a", string_type, 2, text("b") + u64(9) + "12345678")}),
       "a string" + in_a + " has the length 9, but 8 bytes follow"},
      {"a string of an array without a length",
       of({array("a", string_type, 2, text("123456789") + "1234567")}),
       "the file ends within a string" + in_a},
      // The alignment.
      {"alignment 0", aligned(alignment(0)), wanted + "0"},
      {"alignment 1", aligned(alignment(1)), wanted + "1"},
      {"alignment 4", aligned(alignment(4)), wanted + "4"},
      {"alignment 24", aligned(alignment(24)), wanted + "24"},
      {"alignment 33", aligned(alignment(33)), wanted + "33"},
      {"alignment 2^32 - 1", aligned(alignment(~0u)), wanted + "4294967295"},
      {"alignment of 8 bytes", aligned(metadata("general.alignment", 10, u64(32))),
       wanted + "of type U64"},
      {"alignment a string", aligned(metadata("general.alignment", string_type, text("32"))),
       wanted + "of type STRING"},
      {"alignment an array", aligned(array("general.alignment", u32_type, 1, u32(32))),
       wanted + "of type U32[1]"},
      {"alignment 2^31, beyond the file", aligned(alignment(0x80000000u)),
       "the data of tensor \"a\" are 8 bytes from 0 on, but the file has 0 bytes of data"},
      {"an offset of another alignment",
       File{.metadata = {alignment(64)},
            .tensors = {tensor("a", {2}, f32, 0), tensor("b", {2}, f32, 32)},
            .data = 40,
            .alignment = 64}
           .bytes(),
       "the offset 32 of tensor \"b\" must be a multiple of the alignment 64"},
  };
}

std::vector<Malformed> tensors() {
  const std::string shape = "tensor \"a\" has the shape ";
  const std::string elements = ", of more elements than this machine can address";
  return {
      // Names.
      {"a name beyond the file", counts(1, 0, u64(17) + "short" + std::string(11, '\0')),
       "the name of tensor 0 has the length 17, but 16 bytes follow"},
      {"a name of 2^64 - 1 bytes", counts(1, 0, u64(most) + std::string(16, '\0')),
       "the name of tensor 0 has the length 18446744073709551615, but 16 bytes follow"},
      {"a name of 65536 bytes", with({tensor(std::string(65536, 'a'), {2}, f32, 0)}, 8),
       "the name of tensor 0 has 65536 bytes and must have at most 65535"},
      {"a name that is not UTF-8", with({tensor("a\x80", {2}, f32, 0)}, 8),
       "the name of tensor 0 must be UTF-8"},
      {"a name twice", with({tensor("a", {2}, f32, 0), tensor("a", {2}, f32, 32)}, 40),
       "the header has two tensors \"a\""},
      {"a name of many bytes and lines", with({tensor(std::string(300, '\n'), {2}, f32, 1)}, 8),
       "the offset 1 of tensor \"" + std::string(100, '?') +
           "…\" must be a multiple of the alignment 32"},
      // Shapes.
      {"five dimensions", with({tensor("a", {1, 1, 1, 1, 2}, f32, 0)}, 8),
       "tensor \"a\" has 5 dimensions and must have at most 4"},
      {"2^32 - 1 dimensions", with({text("a") + u32(~0u) + u64(2) + u32(f32) + u64(0)}, 8),
       "tensor \"a\" has 4294967295 dimensions and must have at most 4"},
      {"a dimension of 2^63", with({tensor("a", {two63}, f32, 0)}, 8),
       "a dimension of tensor \"a\" is 9223372036854775808" + address},
      {"a dimension of 2^64 - 1", with({tensor("a", {2, most}, f32, 0)}, 8),
       "a dimension of tensor \"a\" is 18446744073709551615" + address},
      {"a product of 2^64", with({tensor("a", {1u << 30, 1u << 30, 16}, f32, 0)}, 8),
       shape + "(16, 1073741824, 1073741824)" + elements},
      {"a product that wraps to 4",
       with({tensor("a", {(1u << 30) + 1, (1u << 30) + 1, 1u << 30, 4}, f32, 0)}, 16),
       shape + "(4, 1073741824, 1073741825, 1073741825)" + elements},
      {"a product over 64 bits times 0",
       with({tensor("a", {1u << 30, 1u << 30, 16, 0}, f32, 0)}, 0),
       shape + "(0, 16, 1073741824, 1073741824)" + elements},
      {"a product of 2^60 values", with({tensor("a", {1u << 30, 1u << 30}, i8, 0)}, 8),
       shape + "(1073741824, 1073741824)" + elements},
      {"a product of an unknown type", with({tensor("a", {1u << 30, 1u << 30}, 99, 0)}, 8),
       shape + "(1073741824, 1073741824)" + elements},
      // Types.
      {"half a block of Q4_0", with({tensor("a", {16, 2}, q4_0, 0)}, 18),
       "the rows of tensor \"a\" have 16 values, which must be a multiple of the 32 in a block of "
       "Q4_0"},
      {"a block and a value of Q8_0", with({tensor("a", {33}, q8_0, 0)}, 68),
       "the rows of tensor \"a\" have 33 values, which must be a multiple of the 32 in a block of "
       "Q8_0"},
      {"a block of Q4_0 as Q4_K", with({tensor("a", {32, 8}, q4_k, 0)}, 144),
       "the rows of tensor \"a\" have 32 values, which must be a multiple of the 256 in a block of "
       "Q4_K"},
      {"a scalar of Q8_0", with({tensor("a", {}, q8_0, 0)}, 34),
       "the rows of tensor \"a\" have 1 values, which must be a multiple of the 32 in a block of "
       "Q8_0"},
      {"half a block of IQ2_XS", with({tensor("a", {128}, 17, 0)}, 37),
       "the rows of tensor \"a\" have 128 values, which must be a multiple of the 256 in a block "
       "of IQ2_XS"},
      // The header's end.
      {"no number of dimensions", counts(1, 0, text("12345678901234")),
       "the file ends within the number of dimensions of tensor \"12345678901234\""},
      {"a dimension cut short", counts(1, 0, text("a") + u32(2) + u64(2) + u32(2)),
       "the file ends within a dimension of tensor \"a\""},
      {"no type", counts(1, 0, text("a") + u32(1) + u64(2) + "\0\0\0"),
       "the file ends within the type of tensor \"a\""},
      {"no offset", counts(1, 0, text("a") + u32(1) + u64(2) + u32(f32) + "1234567"),
       "the file ends within the offset of tensor \"a\""},
      // Offsets.
      {"an offset of 1", with({tensor("a", {2}, f32, 1)}, 9),
       "the offset 1 of tensor \"a\" must be a multiple of the alignment 32"},
      {"an offset of 16", with({tensor("a", {2}, f32, 16)}, 24),
       "the offset 16 of tensor \"a\" must be a multiple of the alignment 32"},
      {"an offset of 2^64 - 1", with({tensor("a", {2}, f32, most)}, 8),
       "the offset 18446744073709551615 of tensor \"a\" must be a multiple of the alignment 32"},
      {"an offset of 2^64 - 32", with({tensor("a", {2}, f32, most - 31)}, 8),
       "the data of tensor \"a\" must begin at 0, where the data before it end, not at "
       "18446744073709551584"},
      {"data that begin late", with({tensor("a", {2}, f32, 32)}, 40),
       "the data of tensor \"a\" must begin at 0, where the data before it end, not at 32"},
      {"a hole", with({tensor("a", {2}, f32, 0), tensor("b", {2}, f32, 64)}, 72),
       "the data of tensor \"b\" must begin at 32, where the data before it end, not at 64"},
      {"an overlap", with({tensor("a", {16}, f32, 0), tensor("b", {2}, f32, 32)}, 64),
       "the data of tensor \"b\" must begin at 64, where the data before it end, not at 32"},
      {"the same data twice", with({tensor("a", {8}, f32, 0), tensor("b", {8}, f32, 0)}, 32),
       "the data of tensor \"b\" must begin at 32, where the data before it end, not at 0"},
      {"nothing within others' data",
       with({tensor("a", {16}, f32, 0), tensor("b", {0}, f32, 32)}, 64),
       "the data of tensor \"b\" must begin at 64, where the data before it end, not at 32"},
      {"nothing after the end", with({tensor("a", {8}, f32, 0), tensor("b", {0}, f32, 64)}, 32),
       "the data of tensor \"b\" must begin at 32, where the data before it end, not at 64"},
      {"no data", with({tensor("a", {2}, f32, 0)}, 0),
       "the data of tensor \"a\" are 8 bytes from 0 on, but the file has 0 bytes of data"},
      {"a byte missing", with({tensor("a", {2}, f32, 0)}, 7),
       "the data of tensor \"a\" are 8 bytes from 0 on, but the file has 7 bytes of data"},
      {"a byte of a block missing", with({tensor("a", {256}, q4_k, 0)}, 143),
       "the data of tensor \"a\" are 144 bytes from 0 on, but the file has 143 bytes of data"},
      {"data left over", with({tensor("a", {2}, f32, 0)}, 40),
       "the tensors have 8 bytes of data, but the file has 40"},
      {"data of Q4_1 as Q4_0", with({tensor("a", {64, 32}, q4_0, 0)}, 64 * 40),
       "the tensors have 1152 bytes of data, but the file has 2560"},
      // Unknown types.
      {"an unknown type without data", with({tensor("a", {2}, 99, 0)}, 0),
       "the data of tensor \"a\" are 1 bytes from 0 on, but the file has 0 bytes of data"},
      {"an unknown type beyond the file",
       with({tensor("a", {8}, f32, 0), tensor("b", {2}, 99, 32)}, 32),
       "the data of tensor \"b\" are 1 bytes from 32 on, but the file has 32 bytes of data"},
      {"unknown types at one place", with({tensor("a", {2}, 99, 0), tensor("b", {2}, 99, 0)}, 64),
       "the data of tensor \"b\" must begin at 32, where the data before it end, not at 0"},
      {"an unknown type within others' data",
       with({tensor("a", {16}, f32, 0), tensor("b", {2}, 99, 32)}, 64),
       "the data of tensor \"b\" must begin at 64, where the data before it end, not at 32"},
  };
}

std::vector<Malformed> all() {
  std::vector<Malformed> files = headers();
  for (const auto& more : {values(), tensors()})
    files.insert(files.end(), more.begin(), more.end());
  return files;
}

TEST(GgufMalformed, EveryFileGetsItsSentence) {
  const TemporaryFolder folder;
  const auto path = folder / "m.gguf";
  for (const Malformed& m : all()) {
    SCOPED_TRACE(m.name);
    put(path, m.bytes);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_gguf(path); }),
              "load_gguf: \"" + path.string() + "\": " + m.sentence);
  }
  EXPECT_GE(all().size(), 80u);
}

TEST(GgufMalformed, APickleIsNamed) {
  const TemporaryFolder folder;
  for (const std::string& bytes : {std::string("\x80\2}q\0.", 6), std::string("PK\3\4")}) {
    put(folder / "m.gguf", bytes);
    const std::string sentence =
        sentence_of<attn::FileError>([&] { attn::load_gguf(folder / "m.gguf"); });
    EXPECT_EQ(
        sentence.find("load_gguf: \"" + (folder / "m.gguf").string() + "\": the file is a pickle"),
        0u)
        << sentence;
  }
}

/// The files above have no other fault than the one that is named.
TEST(GgufMalformed, WellFormedNeighborsLoad) {
  const TemporaryFolder folder;
  std::string many;  // as many tensors as the brace, with which safetensors files begin, says
  for (int i = 0; i < '{'; ++i) many += tensor(std::to_string(i), {0}, f32, 0);
  const std::string sound[] = {
      counts(0, 0),
      counts(0, 0, std::string(8, '\0')),  // padding
      File{.version = 2}.bytes(),
      of({metadata(std::string(65535, 'a'), bool_type, "\1")}),
      of({metadata("", bool_type, std::string(1, '\0')), metadata("🙂", bool_type, "\1")}),
      of({metadata("a", string_type, text(""))}),
      of({metadata("a", string_type, text("\xFF"))}),  // bytes of a token, which no one decodes
      of({array("a", u32_type, 0, "")}),
      of({array("a", string_type, 2, text("") + text("123"))}),
      of({array("a", bool_type, 2, std::string("\0\1", 2))}),
      aligned(alignment(8), 8),
      aligned(alignment(4096), 4096),
      with({tensor("", {2}, f32, 0)}, 8),
      with({tensor("a", {2}, f32, 0)}, 32),
      with({tensor("a", {2}, f32, 0)}, 39),
      with({tensor("a", {}, f32, 0)}, 4),
      with({tensor("a", {0}, f32, 0)}, 0),
      with({tensor("a", {0, 3}, q4_k, 0)}, 0),
      with({tensor("a", {64, 1, 1, 2}, q4_0, 0)}, 72),
      with({tensor("b", {2}, f32, 32), tensor("a", {2}, f32, 0)}, 40),
      with({tensor("a", {8}, f32, 0), tensor("b", {0}, f32, 32), tensor("c", {8}, f32, 32)}, 64),
      with({tensor("a", {2}, 99, 0)}, 1),
      with({tensor("a", {2}, 99, 0), tensor("b", {2}, f32, 640)}, 648),
      with({tensor("a", {2}, f32, 0), tensor("b", {0}, ~0u, 32)}, 32),
      with({tensor("a", {256}, 17, 0)}, 74),
      counts('{', 0, many),
  };
  for (std::size_t i = 0; i < std::size(sound); ++i) {
    put(folder / "m", sound[i]);
    EXPECT_NO_THROW(attn::load_gguf(folder / "m")) << i;
  }
}

}  // namespace
