#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/core/nested.hpp>
#include <attn/io/safetensors.hpp>
#include <limits>

namespace {

using attn::Index;
using std::vector;

const std::filesystem::path data = ATTN_TESTS_DATA;

template <class T>
attn::Tensor<T, 2> from_bits(const vector<std::uint16_t>& bits) {
  attn::Tensor<T, 2> result({3, 4});
  std::memcpy(static_cast<void*>(result.data()), bits.data(), bits.size() * 2);
  return result;
}

TEST(SafeTensorsWriter, WritesTheBytesOfThePythonPackage) {
  const TemporaryFolder folder;
  constexpr double inf = std::numeric_limits<double>::infinity(),
                   nan = std::numeric_limits<double>::quiet_NaN();
  constexpr float finf = std::numeric_limits<float>::infinity(),
                  fnan = std::numeric_limits<float>::quiet_NaN();
  constexpr auto least = std::numeric_limits<std::int64_t>::min(),
                 greatest = std::numeric_limits<std::int64_t>::max();
  const vector<float> f32{0, -0.0f, 1.0f / 3, 0x1p-149f, 1e38f, finf, -finf, fnan};
  attn::SafeTensorsWriter()
      .add("f16", from_bits<Eigen::half>({0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3555, 0x3C00,
                                          0xC248, 0x7BFF, 0x7C00, 0xFC00, 0x7E00}))
      .add("bf16", from_bits<Eigen::bfloat16>({0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x3EAB,
                                               0x3F80, 0xC049, 0x7F7F, 0x7F80, 0xFF80, 0x7FC0}))
      .add("bool", attn::tensor<bool>({{true, false}, {false, true}}))
      .add("u8", attn::tensor<std::uint8_t>({0, 1, 255}))
      .add("i8", attn::tensor<std::int8_t>({-128, -1, 0, 127}))
      .add("i16", attn::tensor<std::int16_t>({-32768, -1, 0, 32767}))
      .add("i32", attn::tensor<std::int32_t>(
                      {std::numeric_limits<std::int32_t>::min(), -1, 0, 2147483647}))
      .add("i64", attn::tensor<std::int64_t>({least, -1, 9007199254740993, greatest}))
      .add("f32", attn::view(f32.data(), {2, 1, 4}))
      .add("f64", attn::tensor<double>({0, -0.0, 1.0 / 3, 5e-324, 1e300, inf, -inf, nan})
                      .reshape({2, 2, 2, 1}))
      .save(folder / "every");
  EXPECT_EQ(content(folder / "every"), content(data / "every_dtype.safetensors"));

  const double scalar = 42;
  const attn::Tensor<float, 2> empty({0, 3});
  attn::SafeTensorsWriter()
      .add("", attn::tensor<float>({1}))
      .add("encoder.layers.0.self_attn.in_proj_weight", attn::tensor<float>({{1, 2, 3}, {4, 5, 6}}))
      .add("scalar", {}, std::span(&scalar, 1))
      .add("empty", empty)
      .add("Wörter und 言葉 🙂", attn::tensor<std::int64_t>({7}))
      .add("\"quoted\"\\\t\n\x01\x7f/", attn::tensor<std::uint8_t>({8, 9}).reshape({1, 1, 1, 1, 2}))
      .save(folder / "names", {{"author \"Ä\"", "line\nbreak"}});
  EXPECT_EQ(content(folder / "names"), content(data / "names.safetensors"));
}

TEST(SafeTensorsWriter, DataBeginAtAMultipleOf8WhateverTheHeader) {
  const TemporaryFolder folder;
  for (std::size_t n = 0; n < 16; ++n) {
    attn::SafeTensorsWriter()
        .add(std::string(n, 'x'), attn::tensor<double>({1, 2}))
        .save(folder / "a");
    const std::string bytes = content(folder / "a");
    EXPECT_EQ((bytes.size() - 16) % 8, 0u);
    EXPECT_EQ(8u + static_cast<unsigned char>(bytes[0]), bytes.size() - 16);
    EXPECT_EQ(attn::load_safetensors(folder / "a").values<double>(std::string(n, 'x')),
              (vector<double>{1, 2}));
  }
}

TEST(SafeTensorsWriter, AStateDictIsReadBack) {
  const TemporaryFolder folder;
  attn::StateDict<float> state;
  state.set("linear.weight", attn::tensor<float>({{1, 2.5f}, {-3, 4}}));
  state.set("linear.bias", attn::tensor<float>({0.1f, 0}));
  attn::save_safetensors(folder / "state", state, {{"format", "pt"}, {"step", "7"}});
  const attn::SafeTensors file = attn::load_safetensors(folder / "state");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"step", "7"}}));
  EXPECT_EQ(file.names(), (vector<std::string>{"linear.bias", "linear.weight"}));
  EXPECT_EQ((file.get<float, 2>("linear.weight")), attn::tensor<float>({{1, 2.5f}, {-3, 4}}));
  EXPECT_EQ((file.get<double, 1>("linear.bias")),
            attn::tensor<double>({static_cast<double>(0.1f), 0}));
  attn::save_safetensors(folder / "none", attn::StateDict<double>{});
  EXPECT_EQ(content(folder / "none"), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_TRUE(attn::load_safetensors(folder / "none").names().empty());
}

TEST(SafeTensorsWriter, KeepsWhatItIsGivenAndAViewsElementsInOrder) {
  const TemporaryFolder folder;
  attn::SafeTensorsWriter writer;
  {
    attn::Tensor<double, 2> tensor = attn::tensor<double>({{1, 2, 3}, {4, 5, 6}});
    writer.add("copy", tensor)
        .add("part", tensor.slice(1, 1, 3))
        .add("moved", attn::tensor<double>({7}));
    tensor.flat().setZero();
  }
  writer.save(folder / "a");
  const attn::SafeTensors file = attn::load_safetensors(folder / "a");
  EXPECT_EQ(file.values<double>("copy"), (vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ((file.get<double, 2>("part")), attn::tensor<double>({{2, 3}, {5, 6}}));
  EXPECT_EQ(file.values<double>("moved"), (vector<double>{7}));
}

TEST(SafeTensorsWriter, RefusesNamesThatTheFormatDoesNotAllow) {
  const TemporaryFolder folder;
  attn::SafeTensorsWriter writer;
  const auto one = attn::tensor<float>({1});
  EXPECT_EQ(sentence_of<attn::FileError>([&] { writer.add("__metadata__", one); }),
            "SafeTensorsWriter: the name \"__metadata__\" must not be a tensor's, the format keeps "
            "it for the metadata");
  writer.add("a", one);
  EXPECT_EQ(sentence_of<attn::FileError>([&] { writer.add("a", one); }),
            "SafeTensorsWriter: the name \"a\" must be of one tensor, but it is added twice");
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { writer.add("b", {2}, std::span<const float>(one.data(), 1)); }),
            "SafeTensorsWriter: \"b\" has 1 values but shape (2)");
  writer.save(folder / "a");
  EXPECT_EQ(attn::load_safetensors(folder / "a").names(), vector<std::string>{"a"});
  EXPECT_EQ(sentence_of<attn::FileError>([&] {
              writer.save(folder / "a", {{"k", "a\xFF\x62"}});
            }),
            "SafeTensorsWriter: names and metadata must be UTF-8, which \"a?b\" is not");
  writer.add("\xC3", one);
  EXPECT_EQ(sentence_of<attn::FileError>([&] { writer.save(folder / "a"); }),
            "SafeTensorsWriter: names and metadata must be UTF-8, which \"?\" is not");
  EXPECT_EQ(attn::load_safetensors(folder / "a").names(), vector<std::string>{"a"});
}

TEST(SafeTensorsWriter, RefusesAHeaderThatIsTooLong) {
  const TemporaryFolder folder;
  EXPECT_EQ(sentence_of<attn::FileError>([&] {
              attn::SafeTensorsWriter().save(folder / "a", {{"k", std::string(100'000'000, 'x')}});
            }),
            "SafeTensorsWriter: the header has 100000032 bytes and must have at most 100000000");
  EXPECT_EQ(folder.count(), 0);
}

TEST(SafeTensorsWriter, SaysWhyAFileCannotBeWritten) {
  const TemporaryFolder folder;
  attn::StateDict<float> state;
  state.set("a", attn::tensor<float>({1}));
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::save_safetensors(folder / "no/a", state); }),
            "save_safetensors: cannot write \"" + (folder / "no/a").string() +
                "\": No such file or directory");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::save_safetensors(folder.path, state); }),
            "save_safetensors: path \"" + folder.path.string() +
                "\" must name a file, but it is a directory");
  if (std::filesystem::is_character_file("/dev/full")) {
    EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::save_safetensors("/dev/full", state); }),
              "save_safetensors: cannot write \"/dev/full\": No space left on device");
  }
  EXPECT_EQ(folder.count(), 0);
}

}  // namespace
