#include "../support/expect_error.hpp"
#include "../support/temporary_folder.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <attn/files/atomic_file.hpp>
#include <csignal>

namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

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

TEST_F(AtomicFile, AcceptsTheLongestNameAndRefusesALongerOne) {
  const std::string name(255, 'x');
  attn::write_atomically(folder / name, "test", bytes("long"));
  EXPECT_EQ(content(folder / name), "long");
  const auto path = folder / (name + "x");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically(path, "save", {}); }),
            "save: cannot write \"" + path.string() + "\": File name too long");
  EXPECT_EQ(folder.count(), 1);
}

TEST_F(AtomicFile, KeepsThePermissionsOfAnOldFileAndGivesANewOneTheUsual) {
  const mode_t mask = umask(0027);
  attn::write_atomically(folder / "new", "test", bytes("1"));
  umask(mask);
  EXPECT_EQ(fs::status(folder / "new").permissions(), fs::perms(0640));
  put(folder / "old", "0");
  fs::permissions(folder / "old", fs::perms(0604));
  attn::write_atomically(folder / "old", "test", bytes("1"));
  EXPECT_EQ(fs::status(folder / "old").permissions(), fs::perms(0604));
}

TEST_F(AtomicFile, WritesWhatALinkPointsTo) {
  fs::create_directory(folder / "deep");
  put(folder / "deep/file", "old");
  fs::create_symlink("deep/file", folder / "link");
  attn::write_atomically(folder / "link", "test", bytes("new"));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(content(folder / "deep/file"), "new");
  EXPECT_EQ(folder.count(), 2);
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
      "save: cannot write \"" + (folder / "file/a").string() + "\": Not a directory");
}

TEST_F(AtomicFile, RefusesAFolderThatIsNotWritable) {
  fs::permissions(folder.path, fs::perms(0555));
  const uid_t user = geteuid();
  ASSERT_EQ(user == 0 ? seteuid(65534) : 0, 0);  // root may write everywhere
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically(folder / "a", "save", {}); }),
            "save: cannot write \"" + (folder / "a").string() + "\": Permission denied");
  ASSERT_EQ(seteuid(user), 0);
  fs::permissions(folder.path, fs::perms(0755));
  EXPECT_EQ(folder.count(), 0);
}

TEST_F(AtomicFile, AFailureInTheLastStepLeavesNothing) {
  attn::AtomicFile file(folder / "a", "save");
  fs::create_directory(folder / "a");
  const std::string sentence = sentence_of<attn::FileError>([&] { file.commit(); });
  EXPECT_EQ(sentence, "save: cannot write \"" + (folder / "a").string() + "\": Is a directory");
}

TEST_F(AtomicFile, ADeviceIsWrittenDirectlyAndStaysADevice) {
  if (!fs::is_character_file("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const std::string text(100000, 'x');
  // More than a stream buffers, and less.
  for (const std::string_view part : {std::string_view(text), std::string_view("x")})
    EXPECT_EQ(sentence_of<attn::FileError>(
                  [&] { attn::write_atomically("/dev/full", "save", bytes(part)); }),
              "save: cannot write \"/dev/full\": No space left on device");
  attn::write_atomically("/dev/null", "save", bytes("x"));
  EXPECT_TRUE(fs::is_character_file("/dev/full") && fs::is_character_file("/dev/null"));
}

TEST_F(AtomicFile, AFailureHalfwayLeavesTheOldFile) {
  put(folder / "a", "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 5000;
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text(100000, 'x');
  EXPECT_EQ(sentence_of<attn::FileError>(
                [&] { attn::write_atomically(folder / "a", "save", bytes(text)); }),
            "save: cannot write \"" + (folder / "a").string() + "\": File too large");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(content(folder / "a"), "old");
  EXPECT_EQ(folder.count(), 1);
}

}  // namespace
