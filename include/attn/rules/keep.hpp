#pragma once

#include <attn/rules/broadcast.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// A mask as a table: query i attends to key j where `mask(b, h, i, j)` is true, as in PyTorch's
/// scaled_dot_product_attention (its MultiheadAttention means the opposite). Axes of extent 1, and
/// leading axes left out, stand for all. `Keep{std::move(mask)}` owns the mask, `Keep{view(mask)}`
/// refers to it.
/// Errors: ShapeError if the mask does not fit the scores.
class Keep {
 public:
  static constexpr Align align = Align::upper_left;  // the table has a row for each query

  template <int N>
  explicit Keep(Tensor<bool, N> mask) : mask_(std::move(mask)) {}
  template <int N>
  explicit Keep(TensorView<const bool, N> mask) : mask_(mask) {}
  template <int N>
  explicit Keep(TensorView<bool, N> mask) : mask_(TensorView<const bool, N>(mask)) {}

  void check(const ScoreShape& shape) const { mask_.check(shape, "Keep"); }
  bool allows(Position at) const { return mask_(at); }

 private:
  Broadcast<bool> mask_;
};

}  // namespace ATTN_ABI
}  // namespace attn
