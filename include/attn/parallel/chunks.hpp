#pragma once

#include <algorithm>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Elements that a task handles in loops over all elements of a tensor: enough to outweigh the cost
/// of starting a task, and the same for any number of threads, so that what is summed chunk by
/// chunk is deterministic.
inline constexpr Index chunk_size = 16384;

/// f(begin, count) for chunks of `chunk_size` elements from 0 to `size`, in parallel; the last
/// chunk may be smaller.
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
