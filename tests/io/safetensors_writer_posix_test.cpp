#include <gtest/gtest.h>

#include <attn/core/nested.hpp>
#include <attn/io/safetensors.hpp>
#include <vector>

#include "support/temporary_folder.hpp"

namespace {

TEST(SafeTensorsWriterOnPosix, AFileMayBeReplacedWhileItIsRead) {
  const TemporaryFolder folder;
  attn::SafeTensorsWriter().add("a", attn::tensor<double>({1, 2})).save(folder / "a");
  const attn::SafeTensors before = attn::load_safetensors(folder / "a");
  attn::SafeTensorsWriter().add("a", attn::tensor<double>({3})).save(folder / "a");
  EXPECT_EQ(before.values<double>("a"), (std::vector<double>{1, 2}));
  EXPECT_EQ(attn::load_safetensors(folder / "a").values<double>("a"), (std::vector<double>{3}));
  EXPECT_EQ(folder.count(), 1);
}

}  // namespace
