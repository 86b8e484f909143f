#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/files/atomic_file.hpp>
#include <attn/files/mapped_file.hpp>

namespace {

TEST(MappedFileOnWindows, IsNotReplacedWhileItIsMapped) {
  const TemporaryFolder folder;
  put(folder / "a", "old");
  const auto replace = [&] {
    attn::write_atomically(folder / "a", "save", std::as_bytes(std::span("new", 3)));
  };
  {
    const attn::MappedFile file(folder / "a", "test");
    EXPECT_EQ(sentence_of<attn::FileError>(replace),
              "save: cannot write \"" + (folder / "a").string() + "\": Permission denied");
    EXPECT_EQ(std::to_integer<char>(file.bytes()[0]), 'o');
    EXPECT_EQ(folder.count(), 1);
  }
  replace();
  EXPECT_EQ(content(folder / "a"), "new");
}

}  // namespace
