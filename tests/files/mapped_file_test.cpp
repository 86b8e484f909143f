#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/files/atomic_file.hpp>
#include <attn/files/mapped_file.hpp>

namespace {

std::string text(const attn::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, HasTheBytesOfTheFile) {
  const TemporaryFolder folder;
  const std::string big(1 << 20, 'x');
  for (const std::string& want : {std::string(), std::string("a\0\n\r\xff", 5), big}) {
    put(folder / "a", want);
    EXPECT_EQ(text(attn::MappedFile(folder / "a", "test")), want);
  }
}

TEST(MappedFile, CopiesShareTheBytesAndOutliveTheFirst) {
  const TemporaryFolder folder;
  put(folder / "a", "bytes");
  auto first = std::make_unique<attn::MappedFile>(folder / "a", "test");
  const attn::MappedFile copy = *first;
  EXPECT_EQ(copy.bytes().data(), first->bytes().data());
  first.reset();
  EXPECT_EQ(text(copy), "bytes");
}

TEST(MappedFile, HasTheSameBytesAfterARelease) {
  const TemporaryFolder folder;
  std::string want(300'000, '\0');
  for (std::size_t i = 0; i < want.size(); ++i) want[i] = static_cast<char>(i * i % 251);
  put(folder / "a", want);
  const attn::MappedFile file(folder / "a", "test");
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

TEST(MappedFile, HasAPathInUnicode) {
  const TemporaryFolder folder;
  const auto path = folder.path / std::filesystem::path(u8"Wörter und 言葉 🙂");
  attn::write_atomically(path, "test", std::as_bytes(std::span("text", 4)));
  EXPECT_EQ(text(attn::MappedFile(path, "test")), "text");
  std::filesystem::remove(path);
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::MappedFile(path, "load"); }),
            "load: cannot read \"" + folder.path.string() +
                static_cast<char>(std::filesystem::path::preferred_separator) +
                "Wörter und 言葉 🙂\": No such file or directory");
}

TEST(MappedFile, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::MappedFile(folder / "no", "load"); }),
            "load: cannot read \"" + (folder / "no").string() + "\": No such file or directory");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::MappedFile(folder.path, "load"); }),
            "load: cannot read \"" + folder.path.string() + "\": Is a directory");
}

}  // namespace
