#include "../support/temporary_folder.hpp"

#include <sys/stat.h>

#include <attn/files/atomic_file.hpp>
#include <attn/files/mapped_file.hpp>
#include <thread>

namespace {

std::string text(const attn::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFileOnPosix, KeepsItsBytesWhenTheFileIsReplacedOrRemoved) {
  const TemporaryFolder folder;
  put(folder / "a", "old");
  const attn::MappedFile file(folder / "a", "test");
  attn::write_atomically(folder / "a", "test", std::as_bytes(std::span("new", 3)));
  std::filesystem::remove(folder / "a");
  EXPECT_EQ(text(file), "old");
}

TEST(MappedFileOnPosix, ReadsAPipe) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  const std::string want(200000, 'y');
  std::thread writer([&] { put(folder / "pipe", want); });
  const attn::MappedFile file(folder / "pipe", "test");
  writer.join();
  EXPECT_EQ(text(file), want);
}

TEST(MappedFileOnPosix, APipeHasTheSameBytesAfterARelease) {
  const TemporaryFolder folder;
  std::string want(300'000, '\0');
  for (std::size_t i = 0; i < want.size(); ++i) want[i] = static_cast<char>(i * i % 251);
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { put(folder / "pipe", want); });
  const attn::MappedFile file(folder / "pipe", "test");
  writer.join();
  for (const auto& [begin, size] : {std::pair<std::size_t, std::size_t>{0, 300'000},
                                    {0, 0},
                                    {300'000, 0},
                                    {1, 1},
                                    {70'000, 130'000},
                                    {299'999, 1}}) {
    file.release(file.bytes().subspan(begin, size));
    EXPECT_EQ(text(file), want) << begin;
  }
}

}  // namespace
