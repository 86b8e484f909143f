#pragma once

#include <attn/core/tensor_view.hpp>
#include <attn/mpi/blocks.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// Calls f(row) for the rows of a tensor that has the positions `of`, in the order of the positions
/// `some`, which are among them.
template <class F>
void for_each_row(const Blocks& of, const Blocks& some, F&& f) {
  for (const Range& range : some.ranges())
    of.for_each_in(range, [&](Index row, Range positions) {
      for (Index i = row; i < row + positions.size(); ++i) f(i);
    });
}

/// Appends some positions of x (B, H, n, E), which has the positions `of`, to a message; returns
/// its end.
template <class T>
T* pack(const TensorView<const T, 4>& x, const Blocks& of, const Blocks& some, T* message) {
  const auto& [B, H, n, E] = x.shape();
  if (E == 0) return message;
  for (Index b = 0; b < B; ++b)
    for (Index h = 0; h < H; ++h) {
      const auto rows = x.matrix(b, h);
      for_each_row(of, some, [&](Index i) {
        message = std::copy_n(rows.data() + i * rows.outerStride(), rows.cols(), message);
      });
    }
  return message;
}

/// The inverse: reads some positions of x from a message; returns where it ends.
template <class T>
const T* unpack(const T* message, const TensorView<T, 4>& x, const Blocks& of, const Blocks& some) {
  const auto& [B, H, n, E] = x.shape();
  if (E == 0) return message;
  for (Index b = 0; b < B; ++b)
    for (Index h = 0; h < H; ++h) {
      auto rows = x.matrix(b, h);
      for_each_row(of, some, [&](Index i) {
        std::copy_n(message, rows.cols(), rows.data() + i * rows.outerStride());
        message += rows.cols();
      });
    }
  return message;
}

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
