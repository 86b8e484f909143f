#include <gtest/gtest.h>
#include <windows.h>

#include <attn/parallel/executor.hpp>

namespace {

TEST(ExecutorOnWindows, UsesTheCoresOfTheProcess) {
  DWORD_PTR cores = 0;
  DWORD_PTR of_system = 0;
  ASSERT_TRUE(GetProcessAffinityMask(GetCurrentProcess(), &cores, &of_system));
  attn::set_executor(attn::Pool{});
  EXPECT_EQ(attn::num_threads(), std::popcount(cores));
  const DWORD_PTR first = cores & ~(cores - 1);
  ASSERT_TRUE(SetProcessAffinityMask(GetCurrentProcess(), first));
  attn::set_executor(attn::Pool{});
  EXPECT_EQ(attn::num_threads(), 1) << "the process is restricted to one core";
  ASSERT_TRUE(SetProcessAffinityMask(GetCurrentProcess(), cores));
  attn::set_executor(attn::Pool{});
}

}  // namespace
