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
/// row, (B, H/U, N, E). Where a row is one rank, nothing is exchanged or copied.
template <class T>
class HeadExchange {
 public:
  Tensor<T, 4> tensor;  ///< (B, H/U, N, E); empty where a row is one rank

  /// `shape` is (B, H, n, E), that of this rank's positions. The tensor is 0 at first.
  HeadExchange(const RankGrid& grid, const Shape<4>& shape) : grid_(grid) {
    if (is_alone()) return;
    const auto [B, H, n, E] = shape;
    heads_ = H / grid.row.size();
    for (const Blocks& blocks : grid.row_blocks) {
      of_positions_.push_back(B * heads_ * blocks.size() * E);
      of_heads_.push_back(B * heads_ * n * E);
    }
    tensor = Tensor<T, 4>({B, heads_, grid.positions().size(), E});
    positions_message_ = Tensor<T, 1>::for_overwrite({B * H * n * E});
    heads_message_ = Tensor<T, 1>::for_overwrite({tensor.size()});
  }

  /// The tensor, or x (B, H, n, E) where a row is one rank.
  template <class U>
  TensorView<U, 4> heads_or(const TensorView<U, 4>& x) {
    return is_alone() ? x : TensorView<U, 4>(tensor.view());
  }

  /// Sends heads of x (B, H, n, E).
  void start_to_heads(const TensorView<const T, 4>& x) {
    if (is_alone()) return;
    T* end = positions_message_.data();
    for (Index u = 0; u < grid_.row.size(); ++u)
      end = pack(heads_of(x, u), grid_.mine(), grid_.mine(), end);
    exchange(positions_message_, of_heads_, heads_message_, of_positions_);
  }
  /// Receives the tensor.
  void finish_to_heads() {
    if (is_alone()) return;
    wait();
    const T* message = heads_message_.data();
    for (const Blocks& sent : grid_.row_blocks)
      message = unpack(message, tensor.view(), grid_.positions(), sent);
  }

  /// Sends positions of the tensor.
  void start_to_positions() {
    if (is_alone()) return;
    T* end = heads_message_.data();
    for (const Blocks& wanted : grid_.row_blocks)
      end = pack(std::as_const(tensor).view(), grid_.positions(), wanted, end);
    exchange(heads_message_, of_positions_, positions_message_, of_heads_);
  }
  /// Receives x (B, H, n, E).
  void finish_to_positions(const TensorView<T, 4>& x) {
    if (is_alone()) return;
    wait();
    const T* message = positions_message_.data();
    for (Index u = 0; u < grid_.row.size(); ++u)
      message = unpack(message, heads_of(x, u), grid_.mine(), grid_.mine());
  }

 private:
  bool is_alone() const { return grid_.row.size() == 1; }
  template <class U>
  TensorView<U, 4> heads_of(const TensorView<U, 4>& x, Index rank) const {
    return x.slice(1, rank * heads_, (rank + 1) * heads_);
  }
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
  Tensor<T, 1> positions_message_, heads_message_;
  std::optional<Gathering<T>> messages_;
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
