#include "../support/little_endian.hpp"
#include "../support/temporary_folder.hpp"

#include <sys/wait.h>

#include <attn/io/gguf_stored.hpp>
#include <attn/io/npy.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/nn/linear.hpp>
#include <random>

#include "gguf_builder.hpp"

namespace {

using attn::Index;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool under_address_sanitizer = true;
#elif defined(__has_feature)
constexpr bool under_address_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool under_address_sanitizer = false;
#endif

/// A line of /proc/self/status in bytes: VmRSS is the resident memory, VmHWM its peak; -1 where
/// there is no such line.
Index status(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string name, rest; in >> name && std::getline(in, rest);)
    if (name == key + ":") return std::stol(rest) * 1024;
  return -1;
}

/// By how many bytes `load` raises the peak of resident memory, in a new process; -1 where the
/// system does not tell, -2 where it fails.
template <class Load>
Index growth(const Load& load) {
  int pipe_ends[2];
  if (status("VmHWM") < 0 || pipe(pipe_ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    Index grown = -2;
    try {
      const Index before = status("VmRSS");
      if (load()) grown = status("VmHWM") - before;
    } catch (...) {  // an exception must not leave the child process
    }
    _exit(write(pipe_ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
  }
  close(pipe_ends[1]);
  Index grown = child < 0 ? -1 : -2;
  if (child > 0 && read(pipe_ends[0], &grown, sizeof grown) != sizeof grown) grown = -2;
  close(pipe_ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return grown;
}

/// What is loaded takes `values` bytes, and `load` returns whether it is right; meanwhile three
/// tenths of the `file`, given by its size, may be in memory.
template <class Load>
void expect_growth(Index values, Index file, const Load& load) {
  const Index grown = growth(load);
  if (grown == -1)
    GTEST_SKIP() << "this system has no fork or does not tell the peak of resident memory";
  ASSERT_NE(grown, -2) << "what was loaded is not right";
  if (under_address_sanitizer) values += values / 8;  // its shadow
  EXPECT_GE(grown, values / 10 * 9) << "the measure is wrong";
  EXPECT_LE(double(grown), double(values) + 0.3 * double(file))
      << double(grown) / double(file) << " times the file";
}

/// A sparse file of zeros between a start and an end.
void put_zeros(const std::filesystem::path& path, const std::string& start, Index zeros,
               const std::string& end) {
  put(path, start);
  std::filesystem::resize_file(path, start.size() + static_cast<std::size_t>(zeros));
  std::ofstream(path, std::ios::binary | std::ios::app) << end;
}
/// The start of a safetensors file with this header.
std::string start(const std::string& header) {
  return little_endian<std::uint64_t>({header.size()}) + header;
}
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  Index begin, Index end) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST(Memory, ALayerIsLoadedWithoutACopyOfTheFile) {
  const TemporaryFolder folder;
  constexpr Index n = 7000, size = 4 * n * n;
  const std::string bias = entry("bias", "F32", "[7000]", 0, 4 * n),
                    weight = entry("weight", "F32", "[7000,7000]", 4 * n, 4 * n + size);
  put_zeros(folder / "a", start("{" + bias + "," + weight + "}"), 4 * n + size - 4,
            std::string("\0\0\x80\x3F", 4));
  expect_growth(size, size, [&] {
    attn::Linear<float> layer({.in_features = n, .out_features = n});
    layer.load_state_dict(attn::load_safetensors(folder / "a"));
    return layer.parameters().front().value.back() == 1;
  });
}

TEST(Memory, ValuesAreConvertedWithoutACopyOfTheFile) {
  const TemporaryFolder folder;
  constexpr Index count = 16'000'000;
  for (const std::string dtype : {"F16", "BF16"}) {
    put_zeros(folder / "a", start("{" + entry("a", dtype, "[16000000]", 0, 2 * count) + "}"),
              2 * count - 2, dtype == "F16" ? std::string("\0\x3C", 2) : "\x80\x3F");
    expect_growth(4 * count, 2 * count, [&] {
      const auto tensor = attn::load_safetensors(folder / "a").get<float, 1>("a");
      return tensor(0) == 0 && tensor(count - 1) == 1;
    });
  }
}

TEST(Memory, QuantizedBlocksAreReadWithoutACopyOfTheFile) {
  const TemporaryFolder folder;
  constexpr Index count = 32'000'000, size = count / 32 * 34;
  std::string header = gguf::File{.tensors = {gguf::tensor("a", {count}, 8, 0)}}.bytes();
  header.resize((header.size() + 31) / 32 * 32);
  put_zeros(folder / "a", header, size - 34, std::string("\0\x3C", 2) + std::string(32, '\1'));
  expect_growth(4 * count, size, [&] {
    const auto tensor = attn::load_gguf(folder / "a").get<float, 1>("a");
    return tensor(0) == 0 && tensor(count - 1) == 1;
  });
}

TEST(Memory, StoredWeightsAreReadWithoutACopyOfTheFile) {
  const TemporaryFolder folder;
  constexpr Index rows = 48'000, columns = 1024, size = rows * columns / 32 * 34;
  std::string header = gguf::File{.tensors = {gguf::tensor("a", {columns, rows}, 8, 0)}}.bytes();
  header.resize((header.size() + 31) / 32 * 32);
  put_zeros(folder / "a", header, size - 34, std::string("\0\x3C", 2) + std::string(32, '\1'));
  expect_growth(size, size, [&] {
    const attn::Gguf file = attn::load_gguf(folder / "a");
    const auto stored = attn::detail::GgufStoredRows(file, "a").read([](Index r) { return r; });
    return (*stored)(0, 0) == 0 && (*stored)(rows - 1, columns - 1) == 1;
  });
}

TEST(Memory, SmallTensorsInAnyOrderLeaveNothingBehind) {
  if (under_address_sanitizer)
    GTEST_SKIP() << "AddressSanitizer keeps what was freed, here the header's small parts, and "
                    "surrounds every small tensor";
  const TemporaryFolder folder;
  constexpr Index count = 20'000, size = 5000;
  std::string header = "{";
  for (Index i = 0; i < count; ++i)
    header +=
        (i == 0 ? "" : ",") + entry(std::to_string(i), "F32", "[1250]", i * size, (i + 1) * size);
  put_zeros(folder / "a", start(header + "}"), count * size - 4, std::string("\0\0\x80\x3F", 4));
  expect_growth(count * size, count * size, [&] {
    const attn::SafeTensors file = attn::load_safetensors(folder / "a");
    std::vector<std::string> names = file.names();
    std::shuffle(names.begin(), names.end(), std::mt19937(7));  // NOLINT: the same order each time
    std::vector<attn::Tensor<float, 1>> tensors;
    for (const std::string& name : names) tensors.push_back(file.get<float, 1>(name));
    return true;
  });
}

TEST(Memory, AnArrayOfNumPyIsLoadedWithoutACopyOfTheFile) {
  const TemporaryFolder folder;
  constexpr Index count = 12'000'000;
  std::string header = attn::detail::npy_start(">f8", std::vector<Index>{count});
  put_zeros(folder / "a", header, 8 * count - 8, std::string("\x3F\xF0\0\0\0\0\0\0", 8));
  expect_growth(8 * count, 8 * count, [&] {
    const auto tensor = attn::load_npy<double, 1>(folder / "a");
    return tensor(0) == 0 && tensor(count - 1) == 1;
  });
}

}  // namespace
