#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

/// A folder of the test's own, gone with it.
struct TemporaryFolder {
  std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / ("attn_test_" + std::to_string(getpid()));

  TemporaryFolder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directory(path);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path); }

  std::filesystem::path operator/(const std::string& name) const { return path / name; }
  auto count() const { return std::distance(std::filesystem::directory_iterator(path), {}); }
};

inline std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Writes a file anew. (One that is overwritten instead waits for the disk.)
inline void put(const std::filesystem::path& path, std::string_view text) {
  if (std::filesystem::is_regular_file(path)) std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << text;
}
