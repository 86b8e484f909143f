#pragma once

#include <algorithm>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Elements that are computed as one task. Chunks depend on the size alone, so that results that
/// are summed chunk by chunk are bitwise identical for any number of threads.
inline constexpr Index chunk_size = 16384;

/// f(begin, count) for each chunk of `size` elements, in parallel.
template <class F>
void parallel_chunks(Index size, F&& f) {
  parallel_for((size + chunk_size - 1) / chunk_size, [&](Index chunk) {
    const Index begin = chunk * chunk_size;
    f(begin, std::min(chunk_size, size - begin));
  });
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
