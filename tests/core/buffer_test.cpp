#include <gtest/gtest.h>

#include <attn/core/buffer.hpp>
#include <cstdint>
#include <numeric>
#include <vector>

namespace {

using attn::Buffer;
using attn::Index;

Buffer<float> counted(Index size) {
  Buffer<float> buffer(size);
  std::iota(buffer.data(), buffer.data() + size, 1.0f);
  return buffer;
}

template <class T>
class BufferOf : public testing::Test {};
using Scalars = testing::Types<float, double, bool, std::int8_t, std::int64_t>;
TYPED_TEST_SUITE(BufferOf, Scalars);

TYPED_TEST(BufferOf, StartsAtACacheLineAndIsZero) {
  for (const Index size : {1, 2, 3, 15, 16, 17, 63, 64, 65, 1000, 100000}) {
    const Buffer<TypeParam> buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_TRUE(std::all_of(buffer.data(), buffer.data() + size,
                            [](TypeParam x) { return x == TypeParam{}; }));
  }
}

TEST(Buffer, IsZeroWhereMemoryIsUsedAgainToo) {
  for (int i = 0; i < 10; ++i) {
    Buffer<float> buffer(100);
    EXPECT_EQ(std::count(buffer.data(), buffer.data() + 100, 0.0f), 100);
    std::fill_n(buffer.data(), 100, 3.0f);
  }
}

TEST(Buffer, EmptyHasNoMemory) {
  EXPECT_EQ(Buffer<float>().data(), nullptr);
  EXPECT_EQ(Buffer<float>(0).data(), nullptr);
  EXPECT_EQ(Buffer<float>(0).size(), 0);
  const Buffer<float> empty, copy = empty;
  EXPECT_EQ(copy.data(), nullptr);
}

TEST(Buffer, CopiesAreDeep) {
  Buffer<float> a = counted(10);
  const Buffer<float> b = a;
  a.data()[3] = -1;
  EXPECT_NE(a.data(), b.data());
  EXPECT_EQ(b.data()[3], 4);
  EXPECT_EQ(b.size(), 10);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
}

TEST(Buffer, InSharedPagesLieBesideEachOtherAndAreFreedOneByOne) {
  std::vector<Buffer<float>> all;
  for (const Index size : {10, 0, 100'000, 5'000'000, 20'000}) {
    Buffer<float> buffer = Buffer<float>::in_shared_pages(size);
    std::iota(buffer.data(), buffer.data() + size, float(size));
    all.push_back(std::move(buffer));
  }
  all.push_back(all[2]);  // a copy
  EXPECT_NE(all[5].data(), all[2].data());
  EXPECT_LT(std::abs(reinterpret_cast<std::intptr_t>(all[5].data()) -
                     reinterpret_cast<std::intptr_t>(all[4].data())),
            16 << 20);
  all[5].data()[999] = -1;
  EXPECT_EQ(all[2].data()[999], 100'999);
  all.erase(all.begin());
  all.erase(all.begin() + 2);
  EXPECT_EQ(all[0].data(), nullptr);
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    const Index size = all[i].size();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all[i].data()) % 64, 0u);
    EXPECT_EQ(all[i].data()[size - 1], float(2 * size - 1));
  }
}

TEST(Buffer, AssignmentReusesMemoryOfTheSameSize) {
  Buffer<float> a = counted(10), same(10), other(3), empty;
  const float* const memory = same.data();
  same = a;
  EXPECT_EQ(same.data(), memory);
  other = a;
  for (const Buffer<float>* copy : {&same, &other}) {
    EXPECT_EQ(copy->size(), 10);
    EXPECT_NE(copy->data(), a.data());
    EXPECT_TRUE(std::equal(a.data(), a.data() + 10, copy->data()));
  }
  other = empty;
  EXPECT_EQ(other.size(), 0);
  EXPECT_EQ(other.data(), nullptr);
}

TEST(Buffer, AMoveTakesTheMemoryAndLeavesAnEmptyBuffer) {
  Buffer<float> a = counted(10);
  const float* const memory = a.data();
  Buffer<float> b = std::move(a);
  EXPECT_EQ(b.data(), memory);
  EXPECT_EQ(a.data(), nullptr);
  EXPECT_EQ(a.size(), 0);
  Buffer<float> c(4);
  c = std::move(b);
  EXPECT_EQ(c.data(), memory);
  EXPECT_EQ(c.size(), 10);
  EXPECT_EQ(b.data(), nullptr);
  EXPECT_EQ(b.size(), 0);
  b = counted(2);
  EXPECT_EQ(b.data()[1], 2) << "it may be assigned again";
  static_assert(std::is_nothrow_move_constructible_v<Buffer<float>> &&
                std::is_nothrow_move_assignable_v<Buffer<float>>);
}

TEST(Buffer, MayBeAssignedToItself) {
  Buffer<float> a = counted(10);
  Buffer<float>& same = a;
  a = same;
  EXPECT_EQ(a.data()[9], 10);
  a = std::move(same);
  EXPECT_EQ(a.size(), 10);
  EXPECT_EQ(a.data()[9], 10);
}

}  // namespace
