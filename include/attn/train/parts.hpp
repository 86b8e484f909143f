#pragma once

#include <attn/parallel/chunks.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A part of one of several ranges: `count` elements of range number `range`, from `begin`.
struct Part {
  Index range, begin, count;
};

/// Cuts ranges of these sizes into parts. The cuts depend on the sizes alone, so that a sum over
/// parts is deterministic for any number of threads.
inline std::vector<Part> parts_of(const std::vector<Index>& sizes) {
  std::vector<Part> parts;
  for (Index range = 0; range < static_cast<Index>(sizes.size()); ++range) {
    const Index size = sizes[static_cast<std::size_t>(range)];
    for (Index begin = 0; begin < size; begin += chunk_size)
      parts.push_back({range, begin, std::min(chunk_size, size - begin)});
  }
  return parts;
}

/// Calls f(range, begin, count) for every part, all of them as one parallel loop.
template <class F>
void for_each_part(const std::vector<Index>& sizes, F&& f) {
  const std::vector<Part> parts = parts_of(sizes);
  parallel_for(static_cast<Index>(parts.size()), [&](Index i) {
    const Part& part = parts[static_cast<std::size_t>(i)];
    f(static_cast<std::size_t>(part.range), part.begin, part.count);
  });
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
