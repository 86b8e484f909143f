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

struct AtomicFileOnPosix : testing::Test {
  TemporaryFolder folder;
};

TEST_F(AtomicFileOnPosix, KeepsThePermissionsOfAnOldFileAndGivesANewOneTheUsual) {
  const mode_t mask = umask(0027);
  attn::write_atomically(folder / "new", "test", bytes("1"));
  umask(mask);
  EXPECT_EQ(fs::status(folder / "new").permissions(), fs::perms(0640));
  put(folder / "old", "0");
  fs::permissions(folder / "old", fs::perms(0604));
  attn::write_atomically(folder / "old", "test", bytes("1"));
  EXPECT_EQ(fs::status(folder / "old").permissions(), fs::perms(0604));
}

TEST_F(AtomicFileOnPosix, WritesWhatALinkPointsTo) {
  fs::create_directory(folder / "deep");
  put(folder / "deep/file", "old");
  fs::create_symlink("deep/file", folder / "link");
  attn::write_atomically(folder / "link", "test", bytes("new"));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(content(folder / "deep/file"), "new");
  EXPECT_EQ(folder.count(), 2);
}

TEST_F(AtomicFileOnPosix, RefusesAFolderThatIsNotWritable) {
  fs::permissions(folder.path, fs::perms(0555));
  const uid_t user = geteuid();
  ASSERT_EQ(user == 0 ? seteuid(65534) : 0, 0);  // root may write everywhere
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically(folder / "a", "save", {}); }),
            "save: cannot write \"" + (folder / "a").string() + "\": Permission denied");
  ASSERT_EQ(seteuid(user), 0);
  fs::permissions(folder.path, fs::perms(0755));
  EXPECT_EQ(folder.count(), 0);
}

TEST_F(AtomicFileOnPosix, ADeviceIsWrittenDirectlyAndStaysADevice) {
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

TEST_F(AtomicFileOnPosix, AFailureHalfwayLeavesTheOldFile) {
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

TEST_F(AtomicFileOnPosix, AcceptsTheLongestNameAndRefusesALongerOne) {
  const std::string name(255, 'x');
  attn::write_atomically(folder / name, "test", bytes("long"));
  EXPECT_EQ(content(folder / name), "long");
  const auto path = folder / (name + "x");
  EXPECT_EQ(sentence_of<attn::FileError>([&] { attn::write_atomically(path, "save", {}); }),
            "save: cannot write \"" + path.string() + "\": File name too long");
  EXPECT_EQ(folder.count(), 1);
}

}  // namespace
