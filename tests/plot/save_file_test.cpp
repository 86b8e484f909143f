#include <gtest/gtest.h>
#include <attn/plot/save_file.hpp>

#ifdef __unix__
#include <sys/resource.h>
#endif

#include <csignal>
#include <iterator>
#include <random>

namespace {

namespace fs = std::filesystem;
using attn::plot::save_file;

struct SaveFile : testing::Test {
  fs::path folder =
      fs::temp_directory_path() / ("attn_save_test_" + std::to_string(std::random_device{}()));
  SaveFile() { fs::create_directory(folder); }
  ~SaveFile() override { fs::remove_all(folder); }
  std::string content(const fs::path& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(folder), {}); }
  std::string error(const fs::path& path) const {
    try {
      save_file(path, {1, 2, 3});
    } catch (const attn::FileError& caught) {
      return caught.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(SaveFile, WritesAndReplaces) {
  save_file(folder / "a.png", {'o', 'n', 'e'});
  save_file(folder / "a.png", {'t', 'w', 'o', '\0', '2'});
  EXPECT_EQ(content(folder / "a.png"), std::string("two\0002", 5));
  EXPECT_EQ(files(), 1);
}

TEST_F(SaveFile, ALinkStaysAndItsFileChanges) {
  save_file(folder / "real.png", {'1'});
  fs::create_symlink("real.png", folder / "link.png");
  save_file(folder / "link.png", {'2'});
  EXPECT_TRUE(fs::is_symlink(folder / "link.png"));
  EXPECT_EQ(content(folder / "real.png"), "2");
}

TEST_F(SaveFile, NothingIsLeftWhereItCannotWrite) {
  EXPECT_NE(error(folder / "no" / "such" / "a.png").find("a.png\": No such file or directory"),
            std::string::npos)
      << error(folder / "no" / "such" / "a.png");
  EXPECT_NE(error(folder).find("it is a directory"), std::string::npos);
  EXPECT_NE(error("").find("it names no file"), std::string::npos);
  fs::create_directory(folder / "sub");
  EXPECT_NE(error(folder / "sub" / "").find("it is a directory"), std::string::npos);
  EXPECT_NE(error(folder / std::string(300, 'x')).find("cannot write"), std::string::npos);
  EXPECT_EQ(files(), 1);
}

TEST_F(SaveFile, DevicesAreNotReplaced) {
  if (!fs::exists("/dev/null")) GTEST_SKIP();
  EXPECT_NE(error("/dev/null").find("it is not a regular file"), std::string::npos);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

#ifdef __unix__
TEST_F(SaveFile, AWriteThatStopsHalfWayKeepsTheOldFile) {
  save_file(folder / "a.png", {'o', 'l', 'd'});
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(save_file(folder / "a.png", std::vector<std::uint8_t>(1 << 20)), attn::FileError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(content(folder / "a.png"), "old");
  EXPECT_EQ(files(), 1);
}
#endif

}  // namespace
