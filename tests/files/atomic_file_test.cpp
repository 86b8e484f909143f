#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/files/atomic_file.hpp>

namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

#ifdef _WIN32
const std::string in_a_file = "No such file or directory";
#else
const std::string in_a_file = "Not a directory";
#endif

struct AtomicFile : testing::Test {
  TemporaryFolder folder;
};

TEST_F(AtomicFile, WritesTheBytesAndLeavesNothingElse) {
  attn::write_atomically(folder / "a", "test", bytes(std::string_view("a\0\n\r\xff", 5)));
  EXPECT_EQ(content(folder / "a"), std::string("a\0\n\r\xff", 5));
  EXPECT_EQ(folder.count(), 1);
}

TEST_F(AtomicFile, WritesInPartsAndAnEmptyFile) {
  attn::AtomicFile file(folder / "a", "test");
  file.write(bytes("one "));
  file.write({});
  file.write(bytes("two"));
  file.commit();
  attn::write_atomically(folder / "empty", "test", {});
  EXPECT_EQ(content(folder / "a"), "one two");
  EXPECT_EQ(content(folder / "empty"), "");
  EXPECT_EQ(folder.count(), 2);
}

TEST_F(AtomicFile, TheOldFileStaysUntilCommit) {
  put(folder / "a", "old");
  {
    attn::AtomicFile file(folder / "a", "test");
    file.write(bytes("new, but not committed"));
    EXPECT_EQ(content(folder / "a"), "old");
    EXPECT_EQ(folder.count(), 2);
  }
  EXPECT_EQ(content(folder / "a"), "old");
  EXPECT_EQ(folder.count(), 1);
  attn::write_atomically(folder / "a", "test", bytes("new"));
  EXPECT_EQ(content(folder / "a"), "new");
  EXPECT_EQ(folder.count(), 1);
}

TEST_F(AtomicFile, TwoWritersDoNotInterfere) {
  attn::AtomicFile first(folder / "a", "test"), second(folder / "a", "test");
  first.write(bytes("first"));
  second.write(bytes("second"));
  second.commit();
  EXPECT_EQ(content(folder / "a"), "second");
  first.commit();
  EXPECT_EQ(content(folder / "a"), "first");
  EXPECT_EQ(folder.count(), 1);
}

TEST_F(AtomicFile, AForeignTemporaryIsLeftAlone) {
  put(folder / ".attn-0.tmp", "somebody else's");
  attn::write_atomically(folder / "a", "test", bytes("mine"));
  EXPECT_EQ(content(folder / "a"), "mine");
  EXPECT_EQ(content(folder / ".attn-0.tmp"), "somebody else's");
}

TEST_F(AtomicFile, RefusesADirectory) {
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically(folder.path, "save", {}); }),
            "save: path \"" + folder.path.string() + "\" must name a file, but it is a directory");
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::write_atomically(folder / "sub/", "save", {}); }),
      "save: path \"" + (folder / "sub/").string() + "\" must end in the name of a file");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically("", "save", {}); }),
            "save: path \"\" must end in the name of a file");
  EXPECT_EQ(folder.count(), 0);
}

TEST_F(AtomicFile, RefusesAFolderThatIsMissing) {
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::write_atomically(folder / "no/a", "save", {}); }),
      "save: cannot write \"" + (folder / "no/a").string() + "\": No such file or directory");
  put(folder / "file", "");
  EXPECT_EQ(
      sentence_of<attn::FileError>([&] { attn::write_atomically(folder / "file/a", "save", {}); }),
      "save: cannot write \"" + (folder / "file/a").string() + "\": " + in_a_file);
}

TEST_F(AtomicFile, AFailureInTheLastStepLeavesNothing) {
  attn::AtomicFile file(folder / "a", "save");
  fs::create_directory(folder / "a");
  const std::string sentence = sentence_of<attn::FileError>([&] { file.commit(); });
  EXPECT_EQ(sentence, "save: cannot write \"" + (folder / "a").string() + "\": Is a directory");
}

}  // namespace
