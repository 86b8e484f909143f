#pragma once

#include <attn/core/tensor.hpp>
#include <attn/mpi/messages.hpp>
#include <attn/mpi/rank_grid.hpp>
#include <attn/mpi/rows.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// An exchange between the ranks of a row of the grid, all-to-all, of tensors with all heads of a
/// rank's positions, (B, H, n, E), and tensors with a part of the heads of all positions of the
/// row, (B, H/U, N, E).
template <class T>
class HeadExchange {
 public:
  /// Has memory for tensors (B, H, n, E) of this rank.
  HeadExchange(const RankGrid& grid, const Shape<4>& shape) : grid_(grid) {
    const auto [B, H, n, E] = shape;
    heads_ = H / grid.row.size();
    for (const Blocks& blocks : grid.row_blocks) {
      of_positions_.push_back(B * heads_ * blocks.size() * E);
      of_heads_.push_back(B * heads_ * n * E);
    }
    rows_ = Tensor<T, 1>::for_overwrite({B * H * n * E});
    heads_of_all_ = Tensor<T, 1>::for_overwrite({B * heads_ * grid.positions().size() * E});
  }

  /// Sends heads of x (B, H, n, E).
  void start_to_heads(const TensorView<const T, 4>& x) {
    T* end = rows_.data();
    for (Index u = 0; u < grid_.row.size(); ++u)
      end = pack(x.slice(1, u * heads_, (u + 1) * heads_), grid_.mine(), grid_.mine(), end);
    exchange(rows_, of_heads_, heads_of_all_, of_positions_);
  }
  /// Receives (B, H/U, N, E).
  void finish_to_heads(const TensorView<T, 4>& x) {
    wait();
    const T* message = heads_of_all_.data();
    for (const Blocks& sent : grid_.row_blocks)
      message = unpack(message, x, grid_.positions(), sent);
  }

  /// Sends positions of x (B, H/U, N, E).
  void start_to_positions(const TensorView<const T, 4>& x) {
    T* end = heads_of_all_.data();
    for (const Blocks& wanted : grid_.row_blocks) end = pack(x, grid_.positions(), wanted, end);
    exchange(heads_of_all_, of_positions_, rows_, of_heads_);
  }
  /// Receives (B, H, n, E).
  void finish_to_positions(const TensorView<T, 4>& x) {
    wait();
    const T* message = rows_.data();
    for (Index u = 0; u < grid_.row.size(); ++u)
      message =
          unpack(message, x.slice(1, u * heads_, (u + 1) * heads_), grid_.mine(), grid_.mine());
  }

 private:
  void exchange(const Tensor<T, 1>& sent, const std::vector<Index>& sent_counts,
                Tensor<T, 1>& received, const std::vector<Index>& received_counts) {
    messages_ = all_to_all(
        grid_.row, std::span<const T>(sent.data(), static_cast<std::size_t>(sent.size())),
        sent_counts, std::span<T>(received.data(), static_cast<std::size_t>(received.size())),
        received_counts);
  }
  void wait() {
    messages_->wait();
    messages_.reset();
  }

  const RankGrid& grid_;
  Index heads_ = 0;
  std::vector<Index> of_positions_, of_heads_;
  Tensor<T, 1> rows_, heads_of_all_;
  std::optional<Gathering<T>> messages_;
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
