#define NOMINMAX
#include <gtest/gtest.h>
#include <windows.h>

#include <attn/attn.hpp>
#include <attn/io/checkpoint.hpp>
#include <attn/io/npy.hpp>
#include <attn/train.hpp>

#include "support/temporary_folder.hpp"

namespace {

// The other macros of windows.h (far, near, small, …) touch no name of the library, and the
// functions that the library declares are those of windows.h.
TEST(WindowsHeader, MayBeIncludedBeforeTheLibrary) {
  const TemporaryFolder folder;
  const auto saved = attn::tensor<float>({{1, 2}, {3, 4}});
  attn::save_npy(folder / "a", saved);
  EXPECT_EQ((attn::load_npy<float, 2>(folder / "a")), saved);
}

}  // namespace
