#pragma once

#include <attn/core/tensor.hpp>
#include <attn/mpi/messages.hpp>
#include <attn/mpi/rows.hpp>
#include <attn/mpi/together.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// Tensors (B, H, n, E) whose rows are divided between the ranks of a World.
template <class T>
struct DividedRows {
  const World& world;
  const std::vector<Blocks>& blocks;  ///< of each rank
  std::vector<TensorView<const T, 4>> tensors;

  const Blocks& mine() const { return blocks[static_cast<std::size_t>(world.rank())]; }
  /// The elements of all tensors in one position.
  Index width() const {
    Index width = 0;
    for (const auto& x : tensors) width += x.shape()[0] * x.shape()[1] * x.shape()[3];
    return width;
  }
};

/// The rows of a window of positions of some tensors, gathered from all ranks. While a window is
/// computed with, the messages of the next one are under way.
template <class T>
class Window {
 public:
  /// Has memory for each of some windows.
  Window(const DividedRows<T>& rows, const std::vector<Range>& windows)
      : rows_(rows), counts_(rows.blocks.size()) {
    Index size = 0, sent = 0;
    for (const Range& window : windows) {
      size = std::max(size, window.size());
      sent = std::max(sent, rows.mine().size_in(window));
    }
    message_ = Tensor<T, 1>::for_overwrite({rows.width() * sent});
    received_ = Tensor<T, 1>::for_overwrite({rows.width() * size});
    for (const auto& x : rows.tensors)
      gathered_.push_back(
          Tensor<T, 4>::for_overwrite({x.shape()[0], x.shape()[1], size, x.shape()[3]}));
  }

  /// Sends the rows that are here, of all ranks' windows.
  void start(Range positions) {
    positions_ = positions;
    for (std::size_t rank = 0; rank < counts_.size(); ++rank)
      counts_[rank] = rows_.width() * rows_.blocks[rank].size_in(positions);
    T* end = message_.data();
    const Blocks sent_here = rows_.mine().within(positions);
    for (const auto& x : rows_.tensors) end = pack(x, rows_.mine(), sent_here, end);
    const Index sent = end - message_.data(), all = rows_.width() * positions.size();
    gathering_ =
        all_gather(rows_.world, std::span<const T>(message_.data(), static_cast<std::size_t>(sent)),
                   std::span<T>(received_.data(), static_cast<std::size_t>(all)), counts_);
  }
  void wait() {
    gathering_->wait();
    gathering_.reset();
    const Blocks window({positions_});
    const T* message = received_.data();
    for (const Blocks& of_rank : rows_.blocks) {
      const Blocks sent = of_rank.within(positions_);
      for (Tensor<T, 4>& x : gathered_) message = unpack(message, x.view(), window, sent);
    }
  }

  Range positions() const { return positions_; }
  /// The rows of tensor n, (B, H, positions, E).
  TensorView<const T, 4> rows(std::size_t n) const {
    return gathered_[n].view().slice(2, 0, positions_.size());
  }

 private:
  const DividedRows<T>& rows_;
  std::vector<Index> counts_;
  Tensor<T, 1> message_, received_;
  std::vector<Tensor<T, 4>> gathered_;
  std::optional<Gathering<T>> gathering_;
  Range positions_;
};

/// About eight windows of equal size, which begin with multiples of `unit`.
inline std::vector<Range> windows_of(Index length, Index unit) {
  constexpr Index count = 8;
  std::vector<Range> windows;
  Index begin = 0;
  for (Index n = 1; n <= count; ++n) {
    const Index ideal = length * n / count, end = (ideal + unit / 2) / unit * unit;
    windows.push_back({begin, n < count ? std::min(end, length) : length});
    begin = windows.back().end;
  }
  std::erase_if(windows, [](const Range& window) { return window.size() == 0; });
  return windows;
}

/// compute(window) for some windows, in ascending order. All ranks pass through all windows
/// together, and one that has failed continues to send its rows.
template <class T, class F>
void for_each_window(Together& together, const DividedRows<T>& rows,
                     const std::vector<Range>& positions, F&& compute) {
  std::optional<Window<T>> windows[2];
  together.compute([&] {
    for (auto& window : windows) window.emplace(rows, positions);
  });
  together.finish();
  const std::size_t count = positions.size();
  if (count > 0) windows[0]->start(positions[0]);
  for (std::size_t n = 0; n < count; ++n) {
    Window<T>& current = *windows[n % 2];
    current.wait();
    if (n + 1 < count) windows[(n + 1) % 2]->start(positions[n + 1]);
    together.compute([&] { compute(std::as_const(current)); });
  }
}

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
