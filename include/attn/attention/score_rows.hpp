#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_SCORE_ROWS_HPP
#define ATTN_ATTENTION_SCORE_ROWS_HPP

#include <attn/gemm/register_block.hpp>
#include <attn/math/softmax.hpp>
#include <span>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

inline constexpr Index tiled_keys = 192;  ///< Bc of Tiled

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/attention/score_rows.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The scores of a few queries against a tile of keys, or their weights, with a row for each query:
/// lanes run along keys. What a query gets is bitwise what it gets in a panel, where lanes run
/// along queries.
template <class T>
struct ScoreRows {
  static constexpr Index lanes = simd::lanes<T>;
  static constexpr Index stride = tiled_keys + 2 * panel_rows<T>;
  static constexpr Index size = lanes * stride;

  T* first;  ///< the score of query 0 and key 0

  /// In memory of `size` elements. Before the first key and after the last there is place for the
  /// other keys of a panel.
  static ScoreRows in(T* memory) { return {memory + panel_rows<T>}; }

  T* row(Index query) const { return first + query * stride; }

  /// The largest score of each query; it may pass over a NaN.
  void find_largest(Index queries, Index keys, T* largest) const {
    for (Index i = 0; i < queries; ++i)
      largest[i] = row_maximum(std::span<const T>(row(i), static_cast<std::size_t>(keys)));
  }
  /// Σ P of each query, taken over every fourth key first, as in a panel.
  void sum(Index queries, Index keys, T* sums) const {
    for (Index i = 0; i < queries; ++i) {
      const T* const p = row(i);
      T of_fourth[4] = {0, 0, 0, 0};
      Index j = 0;
      for (; j + 4 <= keys; j += 4)
        for (Index k = 0; k < 4; ++k) of_fourth[k] += p[j + k];
      for (; j < keys; ++j) of_fourth[j % 4] += p[j];
      sums[i] = (of_fourth[0] + of_fourth[1]) + (of_fourth[2] + of_fourth[3]);
    }
  }
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
