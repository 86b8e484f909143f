#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_PREFETCH_HPP
#define ATTN_GEMM_PREFETCH_HPP

#include <attn/core/range.hpp>
#include <attn/gemm/register_block.hpp>
#include <cstdint>

#define ATTN_KERNELS <attn/gemm/prefetch.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Asks the caches for some rows of a matrix, in the order in which they lie in memory. They may
/// lie beyond its end.
template <class T>
EIGEN_ALWAYS_INLINE void prefetch_rows(const MatrixPart<const T>& X, Range rows) {
  asm volatile("");  // g++ 12 removes calls of functions that do nothing but prefetch
  const auto begin = reinterpret_cast<std::uintptr_t>(X.data);
  for (Index row = rows.begin; row < rows.end; ++row)
    for (Index column = 0; column < X.columns; column += Index{64} / Index{sizeof(T)}) {
      const auto offset = static_cast<std::size_t>(row * X.stride + column) * sizeof(T);
      __builtin_prefetch(reinterpret_cast<const void*>(begin + offset));
    }
}

/// Whether element i of a row is the first of 64 bytes, which are asked for together: a row of a
/// contiguous factor is as long as what is loaded of it.
template <class X>
EIGEN_ALWAYS_INLINE constexpr bool begins_line(Index i) {
  return i * Index{sizeof(X)} % 64 == 0;
}

/// Memory in pieces of so many bytes, one for each row of a right factor.
struct Pieces {
  std::uintptr_t first;
  Index size;
};
/// A right factor. While it is read, the caches are asked for other memory at the same pace.
template <class Right>
struct WithOther : Right {
  Pieces other;

  template <class X>
  EIGEN_ALWAYS_INLINE auto load(const X* row, Index k, Index i) const {
    const Index offset = k * other.size + i * Index{sizeof(X)};
    const auto place = other.first + static_cast<std::uintptr_t>(offset);
    if (begins_line<X>(i)) __builtin_prefetch(reinterpret_cast<const void*>(place), 0, 2);
    return Right::load(row, k, i);
  }
};
/// A right factor that is contiguous in memory and read once, for one row or a few. The caches are
/// asked for what lies some bytes later, because the processor's own prefetching does not cross
/// pages.
template <class Right, std::uintptr_t bytes>
struct ReadAhead : Right {
  template <class X>
  EIGEN_ALWAYS_INLINE auto load(const X* row, Index k, Index i) const {
    const auto later = reinterpret_cast<std::uintptr_t>(row + i) + bytes;
    if (begins_line<X>(i)) __builtin_prefetch(reinterpret_cast<const void*>(later));
    return Right::load(row, k, i);
  }
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
