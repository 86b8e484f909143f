#include "../support/temporary_folder.hpp"

#include <attn/io/gguf.hpp>
#include <random>

#include "gguf_builder.hpp"

namespace {

using gguf::array, gguf::File, gguf::metadata, gguf::tensor, gguf::text, gguf::u32, gguf::u64;

/// The size of the data of `valid`.
constexpr std::size_t data_size = 330;

std::string valid() {
  return File{.metadata = {metadata("general.architecture", 8, text("llama")),
                           metadata("general.alignment", 4, u32(16)),
                           array("t", 8, 2, text("ab") + text("c")),
                           array("s", 6, 2, u32(0x3F800000) + u32(0)), metadata("b", 7, "\1"),
                           metadata("n", 10, u64(7))},
              .tensors = {tensor("a", {32, 2}, 8, 0), tensor("b", {2, 1}, 0, 80),
                          tensor("c", {256}, 12, 96), tensor("d", {3}, 24, 240),
                          tensor("e", {256}, 17, 256)},
              .data = data_size,
              .alignment = 16}
      .bytes();
}

/// Reads each of the metadata as T, which may be refused by a FileError.
template <class T>
void read_metadata(const attn::Gguf& file) {
  for (const std::string& key : file.metadata_keys()) {
    try {
      file.metadata<T>(key);
    } catch (const attn::FileError&) {  // it is of another type
    }
  }
}

/// Loads a file and reads all of it; true if that succeeds. It may throw nothing but FileError.
bool reads(const std::filesystem::path& path, const std::string& bytes) {
  put(path, bytes);
  try {
    const attn::Gguf file = attn::load_gguf(path);
    read_metadata<std::string>(file);
    read_metadata<std::int32_t>(file);
    read_metadata<std::vector<std::string>>(file);
    read_metadata<std::vector<double>>(file);
    read_metadata<std::vector<bool>>(file);
    for (const std::string& name : file.names()) {
      try {
        file.bytes(name);
        file.values<double>(name);
        file.values<float>(name);
      } catch (const attn::FileError&) {  // its type cannot be read, or a value is lost
      }
    }
    return true;
  } catch (const attn::FileError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return false;
  }
}

TEST(GgufFuzzed, EveryTruncatedFileIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = valid();
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(reads(folder / "m", whole.substr(0, n))) << n;
  EXPECT_TRUE(reads(folder / "m", whole));
}

TEST(GgufFuzzed, FlippedBitsDoNoHarm) {
  const TemporaryFolder folder;
  const std::string whole = valid();
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * (whole.size() - data_size); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    refused += !reads(folder / "m", flipped);
  }
  EXPECT_GT(refused, 1500);
}

TEST(GgufFuzzed, ChangedBytesDoNoHarm) {
  const TemporaryFolder folder;
  const std::string whole = valid();
  std::mt19937 random(7);  // NOLINT: the same files each time
  int opened = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string changed = whole;
    for (auto n = random() % 4 + 1; n > 0; --n) {
      const std::size_t at = random() % (changed.size() - 200);
      switch (random() % 5) {
        case 0: changed.erase(at, random() % 9); break;
        case 1: changed.insert(at, random() % 9, static_cast<char>(random())); break;
        case 2: changed.replace(at, 8, changed, random() % (changed.size() - 200), 8); break;
        case 3: changed[at] = static_cast<char>(random() % 14); break;
        default: changed[at] = static_cast<char>(random());
      }
    }
    opened += reads(folder / "m", changed);
  }
  EXPECT_GT(opened, 200);
  EXPECT_LT(opened, 4500);
}

}  // namespace
