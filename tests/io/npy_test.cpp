#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"
#include "../support/tensors.hpp"

#include <attn/core/nested.hpp>
#include <attn/io/npy.hpp>
#include <limits>
#include <random>

namespace {

using attn::Index;

const std::filesystem::path data = std::filesystem::path(ATTN_TESTS_DATA) / "npy";
constexpr double inf = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();
constexpr float finf = std::numeric_limits<float>::infinity(),
                fnan = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                       greatest = std::numeric_limits<std::int64_t>::max();

// The values that make_npy.py gives to NumPy.
const auto b1 = attn::tensor<bool>({{true, false}, {false, true}});
const auto u1 = attn::tensor<std::uint8_t>({0, 1, 255});
const auto i1 = attn::tensor<std::int8_t>({-128, -1, 0, 127});
const auto i2 = attn::tensor<std::int16_t>({-32768, -1, 0, 32767});
const auto i4 =
    attn::tensor<std::int32_t>({std::numeric_limits<std::int32_t>::min(), -1, 0, 2147483647});
const auto i8 = attn::tensor<std::int64_t>({least, -1, 9007199254740993, greatest});
const auto u2 = attn::tensor<std::uint16_t>({0, 256, 65535});
const auto u4 = attn::tensor<std::uint32_t>({0, 16777217, 4294967295});
const auto u8 =
    attn::tensor<std::uint64_t>({0, 9007199254740993, std::numeric_limits<std::uint64_t>::max()});
const auto f2 =
    attn::tensor<float>({{0, -0.0f, 0x1p-24f, -0x3FFp-24f}, {0x1.554p-2f, 65504, finf, fnan}});
const auto f4 =
    attn::tensor<float>({{{0, -0.0f, 1.0f / 3, 0x1p-149f}}, {{1e38f, finf, -finf, fnan}}});
const auto f8 = attn::tensor<double>(
    {{{{0}, {-0.0}}, {{1.0 / 3}, {5e-324}}}, {{{1e300}, {inf}}, {{-inf}, {nan}}}});
const auto count = attn::tensor<float>({{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}},
                                        {{12, 13, 14, 15}, {16, 17, 18, 19}, {20, 21, 22, 23}}});

template <class T, int N>
void expect_file(const std::string& name, const attn::Tensor<T, N>& want) {
  EXPECT_TRUE(same_bits(attn::load_npy<T, N>(data / name), want)) << name;
}

TEST(Npy, ReadsEveryTypeOfNumPyInBothOrdersOfBytes) {
  expect_file("b1.npy", b1);
  expect_file("u1.npy", u1);
  expect_file("i1.npy", i1);
  for (const std::string end : {".npy", "_big.npy"}) {
    expect_file("u2" + end, u2);
    expect_file("u4" + end, u4);
    expect_file("u8" + end, u8);
    expect_file("i2" + end, i2);
    expect_file("i4" + end, i4);
    expect_file("i8" + end, i8);
    expect_file("f2" + end, f2);
    expect_file("f4" + end, f4);
    expect_file("f8" + end, f8);
  }
}

TEST(Npy, ReadsFortransOrderAndEveryVersion) {
  for (const char* name : {"count.npy", "fortran.npy", "version_2.npy", "version_3.npy"})
    expect_file(name, count);
  EXPECT_EQ((attn::load_npy<float, 3>(data / "fortran_big.npy")), count);
  EXPECT_EQ((attn::load_npy<Index, 3>(data / "fortran.npy")(1, 2, 0)), 20);
  EXPECT_EQ((attn::load_npy<float, 2>(data / "empty.npy").shape()), (attn::Shape<2>{0, 3}));
}

template <class T, int N>
std::string saved(const attn::Tensor<T, N>& tensor) {
  const TemporaryFolder folder;
  attn::save_npy(folder / "a.npy", tensor);
  EXPECT_EQ(folder.count(), 1);
  return content(folder / "a.npy");
}

TEST(Npy, WritesTheBytesOfNumPy) {
  EXPECT_EQ(saved(b1), content(data / "b1.npy"));
  EXPECT_EQ(saved(u1), content(data / "u1.npy"));
  EXPECT_EQ(saved(i1), content(data / "i1.npy"));
  EXPECT_EQ(saved(i2), content(data / "i2.npy"));
  EXPECT_EQ(saved(i4), content(data / "i4.npy"));
  EXPECT_EQ(saved(i8), content(data / "i8.npy"));
  EXPECT_EQ(saved(u2), content(data / "u2.npy"));
  EXPECT_EQ(saved(u4), content(data / "u4.npy"));
  EXPECT_EQ(saved(u8), content(data / "u8.npy"));
  EXPECT_EQ(saved(f4), content(data / "f4.npy"));
  EXPECT_EQ(saved(f8), content(data / "f8.npy"));
  EXPECT_EQ(saved(count), content(data / "count.npy"));
  EXPECT_EQ(saved(attn::Tensor<float, 2>({0, 3})), content(data / "empty.npy"));
  EXPECT_EQ(saved(attn::Tensor<std::uint8_t, 14>({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100, 0})),
            content(data / "edge.npy"));
  attn::Tensor<Eigen::half, 2> halves({2, 4});
  const std::uint16_t bits[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x3555, 0x7BFF, 0x7C00, 0x7E00};
  std::memcpy(static_cast<void*>(halves.data()), bits, sizeof bits);
  EXPECT_EQ(saved(halves), content(data / "f2.npy"));
}

TEST(Npy, AViewIsWrittenInTheOrderOfItsElements) {
  const TemporaryFolder folder;
  const attn::TensorView<const float, 3> part = count.slice(2, 1, 3).slice(1, 0, 2);
  attn::save_npy(folder / "a.npy", part);
  EXPECT_EQ((attn::load_npy<float, 3>(folder / "a.npy")), part.copy());
}

TEST(Npy, ConvertsAsSafeTensorsDo) {
  const std::string where = "load_npy: \"" + (data / "i8.npy").string() + "\"";
  EXPECT_EQ((attn::load_npy<double, 2>(data / "b1.npy")), attn::tensor<double>({{1, 0}, {0, 1}}));
  EXPECT_EQ((attn::load_npy<bool, 1>(data / "u1.npy")), attn::tensor<bool>({false, true, true}));
  EXPECT_EQ((attn::load_npy<Index, 3>(data / "count.npy")(0, 1, 2)), 6);
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_npy<double, 1>(data / "i8.npy"); }),
            where + " has the I64 9007199254740993 at index 2, which F64 cannot hold");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_npy<std::uint8_t, 1>(data / "i8.npy"); }),
            where + " has the I64 -9223372036854775808 at index 0, which U8 cannot hold");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { attn::load_npy<Index, 2>(data / "i8.npy"); }),
            where + " must have the number of axes that is asked for, 2, but has the shape (4)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { attn::load_npy<float, 1>(data / "scalar.npy"); }),
            "load_npy: \"" + (data / "scalar.npy").string() +
                "\" must have the number of axes that is asked for, 1, but has the shape ()");
}

TEST(Npy, RefusesWhatIsNotOneArrayOfNumbers) {
  const std::string known =
      " is not supported; these are, after < or >: b1, u1, i1, i2, u2, f2, i4, u4, f4, f8, i8, u8";
  const std::pair<const char*, std::string> files[] = {
      {"objects.npy",
       "the descr \"|O\" is of Python objects, kept as a pickle, which is a program and is not "
       "run"},
      {"structure.npy",
       "the descr must be one type of number, such as '<f4', but it is a structure"},
      {"complex.npy", "the descr \"<c8\"" + known},
      {"text.npy", "the descr \"<U2\"" + known},
      {"zip.npz",
       "the file is a zip of arrays, as numpy.savez writes; save one array by itself with "
       "numpy.save"},
      {"../every_dtype.safetensors", "the file must begin with \\x93NUMPY, as numpy.save writes"}};
  for (const auto& [name, sentence] : files)
    EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_npy<float, 1>(data / name); }),
              "load_npy: \"" + (data / name).string() + "\": " + sentence);
}

/// A file of version 1.0 with this header and so many bytes of data.
std::string file(const std::string& header, std::size_t bytes = 0) {
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header +
         std::string(bytes, '\1');
}
std::string with_shape(const std::string& shape, std::size_t bytes = 0) {
  return file("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }", bytes);
}
std::string with_descr(const std::string& descr) {
  return file("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2,), }", 8);
}
std::string no_dict(int byte) {
  return "the header must be a Python dict of descr, fortran_order and shape, which it is not at "
         "its byte " +
         std::to_string(byte);
}

TEST(Npy, EveryMalformedFileGetsItsSentence) {
  const std::string known =
      " is not supported; these are, after < or >: b1, u1, i1, i2, u2, f2, i4, u4, f4, f8, i8, u8";
  const std::string
      shape = "the shape must be a tuple of non-negative integers, such as (2, 3) or (2,)",
      many = "the shape has more bytes than this machine can address",
      half = std::to_string(std::numeric_limits<Index>::max() / 2 + 1),
      eighth = std::to_string(std::numeric_limits<Index>::max() / 8 + 1);
  const std::string magic = "the file must begin with \\x93NUMPY, as numpy.save writes";
  const std::string start = "\x93NUMPY", version_2("\x93NUMPY\2\0", 8);
  const std::pair<std::string, std::string> files[] = {
      // The start.
      {"", magic},
      {"\x93NUMP", magic},
      {"\x92NUMPY" + std::string(100, '\0'), magic},
      {start, "the file has 6 bytes and must have at least 10"},
      {version_2 + std::string(3, '\0'), "the file has 11 bytes and must have at least 12"},
      {start + std::string("\0\0\2\0{}", 6),
       "the format's version 0.0 is not supported; these are: 1.0, 2.0, 3.0"},
      {start + std::string("\4\0\2\0{}", 6),
       "the format's version 4.0 is not supported; these are: 1.0, 2.0, 3.0"},
      {start + std::string("\1\1\2\0{}", 6),
       "the format's version 1.1 is not supported; these are: 1.0, 2.0, 3.0"},
      {start + "\xFF\xFF\1\1{}",
       "the format's version 255.255 is not supported; these are: 1.0, 2.0, 3.0"},
      {start + std::string("\1\0\3\0{}", 6),
       "the header's length 3 must be at most the 2 bytes after it"},
      {version_2 + "\xFF\xFF\xFF\xFF{}",
       "the header's length 4294967295 must be at most the 2 bytes after it"},
      {version_2 + std::string("\0\0\1\0{}", 6),
       "the header's length 65536 must be at most the 2 bytes after it"},
      // The dict.
      {file(""), no_dict(1)},
      {file("   \n"), no_dict(5)},
      {file("[]"), no_dict(1)},
      {file("{"), no_dict(2)},
      {file("{,}"), no_dict(2)},
      {file("{}}"), no_dict(3)},
      {file(std::string("{}\0", 3)), no_dict(3)},
      {file("{descr: 1}"), no_dict(2)},
      {file("{'descr"), no_dict(3)},
      {file("{'descr\": '<f4'}"), no_dict(12)},
      {file("{'descr' '<f4'}"), no_dict(10)},
      {file("{'descr': '<f4' 'shape': ()}"), no_dict(17)},
      {file("{'descr': '<f4',, 'shape': ()}"), no_dict(17)},
      {file("{'fortran_order': Falsey}"), no_dict(24)},
      {file("{'fortran_order': True"), no_dict(23)},
      {with_shape("(2,)", 8) + "\n", "the shape (2) has 8 bytes in F32, but the file has 9"},
      {file("{}"), "the header has no descr"},
      {file("{'descr': '<f4', 'shape': ()}", 4), "the header has no fortran_order"},
      {file("{'descr': '<f4', 'fortran_order': False}", 4), "the header has no shape"},
      {file("{'Descr': '<f4'}"),
       "the header has a key \"Descr\", but must have exactly descr, fortran_order and shape"},
      {file("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x\n': 1}"),
       "the header has a key \"x?\", but must have exactly descr, fortran_order and shape"},
      {file("{'descr': '<f4', 'descr': '<f4'}"), "the header has two keys \"descr\""},
      {file("{'shape': (1,), \"shape\": (1,)}"), "the header has two keys \"shape\""},
      // The type.
      {with_descr("f4"), no_dict(11)},
      {with_descr("None"), no_dict(11)},
      {with_descr("('<f4', (2,))"),
       "the descr must be one type of number, such as '<f4', but it is a structure"},
      {with_descr("''"), "the descr \"\"" + known},
      {with_descr("'f4'"), "the descr \"f4\"" + known},
      {with_descr("'=f4'"), "the descr \"=f4\"" + known},
      {with_descr("'|f4'"), "the descr \"|f4\"" + known},
      {with_descr("'<f4 '"), "the descr \"<f4 \"" + known},
      {with_descr("'<f16'"), "the descr \"<f16\"" + known},
      {with_descr("'<V2'"), "the descr \"<V2\"" + known},
      {with_descr("'<'"), "the descr \"<\"" + known},
      {file("{'fortran_order': 0}"), "the fortran_order must be True or False"},
      {file("{'fortran_order': 'True'}"), "the fortran_order must be True or False"},
      // The shape.
      {with_shape("2", 8), shape},
      {with_shape("(2)", 8), shape},
      {with_shape("[2]", 8), shape},
      {with_shape("(2,", 8), shape},
      {with_shape("(,)", 8), shape},
      {with_shape("(2,,)", 8), shape},
      {with_shape("(2 1)", 8), shape},
      {with_shape("(-1,)", 8), shape},
      {with_shape("(+2,)", 8), shape},
      {with_shape("(2.0,)", 8), shape},
      {with_shape("(02,)", 8), shape},
      {with_shape("(True,)", 8), shape},
      {with_shape("('2',)", 8), shape},
      {with_shape("((2,),)", 8), shape},
      {with_shape("(" + std::string(60, '('), 8), shape},
      {file("{'shape': ("), shape},
      {file("{'shape': (2"), shape},
      {with_shape("(9223372036854775808,)", 8), many},
      {with_shape("(99999999999999999999999999,)", 8), many},
      {with_shape("(4294967296, 4294967296)"), many},
      {with_shape("(2305843009213693952,)"), many},
      {with_shape("(4294967296, 4294967296, 0)"), many},
      // The data.
      {with_shape("(2,)", 7), "the shape (2) has 8 bytes in F32, but the file has 7"},
      {with_shape("(2,)", 9), "the shape (2) has 8 bytes in F32, but the file has 9"},
      {with_shape("(2, 3)"), "the shape (2, 3) has 24 bytes in F32, but the file has 0"},
      {with_shape("()"), "the shape () has 4 bytes in F32, but the file has 0"},
      {with_shape("(0, 3)", 4), "the shape (0, 3) has 0 bytes in F32, but the file has 4"},
      {with_shape("(" + eighth + ",)"),
       "the shape (" + eighth + ") has " + half + " bytes in F32, but the file has 0"},
  };
  const TemporaryFolder folder;
  for (const auto& [bytes, sentence] : files) {
    SCOPED_TRACE(bytes);
    put(folder / "a", bytes);
    EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::load_npy<float, 1>(folder / "a"); }),
              "load_npy: \"" + (folder / "a").string() + "\": " + sentence);
  }
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::load_npy<float, 1>(folder / "no"); }),
      "load_npy: cannot read \"" + (folder / "no").string() + "\": No such file or directory");
}

/// The files above have no other fault than the one that is named.
TEST(Npy, WellFormedNeighborsLoad) {
  const TemporaryFolder folder;
  for (const std::string& bytes :
       {with_shape("(2,)", 8), with_shape("( 2 , )", 8), with_shape("(2L,)", 8),
        with_descr("'<f4'"), with_descr("\"<f4\""),
        file("{'descr':'<i1','fortran_order':True,'shape':(2,)}", 2),
        file(" {\n\"shape\" : (2,) ,'fortran_order':\tFalse, 'descr':'>f4'}\r\n ", 8),
        file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 2)}) {
    put(folder / "a", bytes);
    EXPECT_EQ((attn::load_npy<float, 1>(folder / "a").size()), 2) << bytes;
  }
}

/// Reads a file; true if that succeeds. It may throw nothing but FileError and ShapeError.
bool reads(const std::filesystem::path& path, const std::string& bytes) {
  put(path, bytes);
  try {
    attn::load_npy<double, 3>(path);
    return true;
  } catch (const attn::Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return false;
  }
}

TEST(Npy, TruncationAndFlippedBitsDoNoHarm) {
  const TemporaryFolder folder;
  const std::string whole = content(data / "fortran.npy");
  EXPECT_TRUE(reads(folder / "a", whole));
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(reads(folder / "a", whole.substr(0, n))) << n;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    reads(folder / "a", flipped);
  }
  std::mt19937 random(7);  // NOLINT: the same files each time
  for (int i = 0; i < 3000; ++i) {
    std::string changed = whole;
    for (auto n = random() % 4 + 1; n > 0; --n) {
      const std::size_t at = random() % 80;
      if (random() % 3 == 0) changed.erase(at, random() % 8);
      else if (random() % 2 == 0) changed.insert(at, 1, "{}(),:'\"0-9L\\ \n"[random() % 15]);
      else changed[at] = static_cast<char>(random());
    }
    reads(folder / "a", changed);
  }
}

TEST(Npy, SaysWhyAFileCannotBeWrittenAndKeepsTheOldOne) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::save_npy(folder / "no/a", u1); }),
      "save_npy: cannot write \"" + (folder / "no/a").string() + "\": No such file or directory");
  attn::save_npy(folder / "a", u1);
  attn::save_npy(folder / "a", i1);
  EXPECT_EQ((attn::load_npy<Index, 1>(folder / "a")), attn::tensor<Index>({-128, -1, 0, 127}));
}

}  // namespace
