#pragma once

#include <attn/attention/heads.hpp>
#include <attn/gemm/register_block.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

/// Rows of a tile, of V or another matrix, and whether all their numbers are finite: then one that
/// is masked is as good as none, 0 · V = 0.
template <class T>
class TileRows {
 public:
  using Matrix = typename HeadInput<T>::Matrix;

  TileRows(const Matrix& X, Range rows) : X_(X), rows_(rows) {}

  /// Has them brought near.
  void fetch() const {
    constexpr Index cache_line = 64 / sizeof(T);
    for (Index j = rows_.begin; j < rows_.end; ++j)
      for (Index e = 0; e < X_.cols(); e += cache_line)
        __builtin_prefetch(X_.data() + j * X_.outerStride() + e);
  }
  /// The rows from the tile's `begin` on, as the transposed left factor of Xᵀ Pᵀ.
  LeftFactor<T> transposed(Index begin) const {
    return {X_.data() + (rows_.begin + begin) * X_.outerStride(), 1, X_.outerStride()};
  }
  Index first() const { return rows_.begin; }
  /// Looked at once, when it is asked.
  bool finite() {
    if (!finite_) {
      using V = simd::Vector<T>;
      auto finite = V(T(0)) == T(0);
      for (Index j = rows_.begin; j < rows_.end; ++j)
        simd::for_each_packet<T>(X_.cols(), [&](Index e, Index n) {
          finite = finite & (abs(simd::load<V>(X_.row(j).data() + e, n, T(0))) <=
                             std::numeric_limits<T>::max());
        });
      finite_ = !any(!finite);
    }
    return *finite_;
  }

 private:
  const Matrix& X_;
  Range rows_;
  std::optional<bool> finite_;
};

}  // namespace ATTN_ABI
}  // namespace attn
