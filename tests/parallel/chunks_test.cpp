#include <gtest/gtest.h>

#include <algorithm>
#include <attn/parallel/chunks.hpp>
#include <mutex>
#include <utility>
#include <vector>

namespace {

using attn::Index, attn::detail::chunk_size, attn::detail::parallel_chunks;

TEST(ParallelChunks, CoverEveryElementOnce) {
  for (const Index size :
       {Index{0}, Index{1}, chunk_size - 1, chunk_size, chunk_size + 1, 5 * chunk_size + 77}) {
    std::vector<int> visits(static_cast<std::size_t>(size), 0);
    parallel_chunks(size, [&](Index begin, Index count) {
      for (Index i = begin; i < begin + count; ++i) ++visits[std::size_t(i)];
    });
    EXPECT_EQ(std::count(visits.begin(), visits.end(), 1), size);
  }
}

TEST(ParallelChunks, AreTheSameForAnyNumberOfThreads) {
  const auto chunks = [](Index threads) {
    attn::set_num_threads(threads);
    std::mutex mutex;
    std::vector<std::pair<Index, Index>> result;
    parallel_chunks(3 * chunk_size + 5, [&](Index begin, Index count) {
      const std::lock_guard lock(mutex);
      result.emplace_back(begin, count);
    });
    std::sort(result.begin(), result.end());
    return result;
  };
  const auto alone = chunks(1);
  EXPECT_EQ(alone, chunks(4));
  EXPECT_EQ(alone.back(), (std::pair<Index, Index>(3 * chunk_size, 5)));
  attn::set_executor(attn::Pool{});
}

}  // namespace
