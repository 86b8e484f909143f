#pragma once

#include <attn/core/tensor.hpp>
#include <attn/mpi/blocks.hpp>
#include <attn/mpi/messages.hpp>
#include <attn/mpi/rank_grid.hpp>
#include <attn/mpi/rows.hpp>
#include <attn/mpi/together.hpp>
#include <bit>
#include <memory>
#include <numeric>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {

/// A sequence that is divided between ranks, and which of its positions are here.
///
/// Blocks of positions, as equal as can be, are dealt to the ranks forwards, then backwards, and so
/// on: under a causal rule, where later queries attend to more keys, each rank has as much to
/// compute as any other. A rank may have no position at all. Row i of a rank's tensors (…, n, E) is
/// position `position(i)`; these ascend.
/// It refers to the World, which must outlive it. Making one is a collective operation.
class Sequence {
 public:
  /// Errors: OptionError for a negative length; ShapeError if ranks give different lengths.
  Sequence(const World& world, Index length);

  const World& world() const { return *world_; }
  /// S, the number of all positions.
  Index length() const { return length_; }
  /// n, the number of positions here.
  Index size() const { return blocks_of(world_->rank()).size(); }
  /// The position of row i, 0 ≤ i < n.
  Index position(Index i) const { return blocks_of(world_->rank()).position(i); }
  /// The positions of a rank.
  const Blocks& blocks_of(Index rank) const { return blocks_[static_cast<std::size_t>(rank)]; }

  /// The rows (…, n, E) of a tensor (…, S, E) that are here.
  /// Errors: ShapeError for another length than S.
  template <class T, int N>
  Tensor<T, N> local(const Tensor<T, N>& whole) const;
  /// The whole tensor (…, S, E) from the rows (…, n, E) of each rank, on rank 0. A collective
  /// operation. Errors: ShapeError if a rank's rows are not its n.
  template <class T, int N>
  std::optional<Tensor<T, N>> gather(const Tensor<T, N>& part) const;

  /// How the ranks are arranged for attention with G heads of keys: `ranks_of_heads` of them
  /// exchange heads, by default the most that divide G and the number of ranks.
  /// Errors: OptionError if ranks_of_heads does not divide both.
  const detail::RankGrid& grid(Index G, std::optional<Index> ranks_of_heads) const;

 private:
  static constexpr Index most_turns = 16;   // blocks of each rank, at most
  static constexpr Index fewest_rows = 96;  // of a block, where there are enough: a kernel's tile

  void deal_blocks();
  void arrange_ranks();

  const World* world_;
  Index length_;
  std::vector<Blocks> blocks_;
  std::shared_ptr<const std::vector<detail::RankGrid>> grids_;  // one for each divisor of the ranks
};

inline Sequence::Sequence(const World& world, Index length) : world_(&world), length_(length) {
  Together together(world, "Sequence: length " + std::to_string(length));
  together.compute([&] { expect_option(length >= 0, "Sequence", "length", length, "at least 0"); });
  together.finish();
  deal_blocks();
  arrange_ranks();
}

inline void Sequence::arrange_ranks() {
  auto grids = std::make_shared<std::vector<detail::RankGrid>>();
  for (Index width = 1; width <= world_->size(); ++width)
    if (world_->size() % width == 0) grids->emplace_back(*world_, width, blocks_);
  grids_ = std::move(grids);
}

inline const detail::RankGrid& Sequence::grid(Index G, std::optional<Index> ranks_of_heads) const {
  const detail::RankGrid* widest = nullptr;
  for (const detail::RankGrid& grid : *grids_) {
    const Index width = grid.row.size();
    if (G % width == 0 && width == ranks_of_heads.value_or(width)) widest = &grid;
  }
  expect_option(widest != nullptr, "SequenceParallel", "ranks_of_heads", ranks_of_heads.value_or(0),
                "a divisor of the " + std::to_string(world_->size()) +
                    " ranks and of the G = " + std::to_string(G) + " heads of keys and values");
  return *widest;
}

inline void Sequence::deal_blocks() {
  const Index ranks = world_->size();
  // A power of 2, so that the windows of WindowedAttention, a power of 2 too, have equally many.
  const auto pairs = std::clamp<Index>(length_ / (2 * ranks * fewest_rows), 1, most_turns / 2);
  const Index turns = 2 * static_cast<Index>(std::bit_floor(static_cast<std::size_t>(pairs)));
  const Index count = ranks * turns;
  std::vector<std::vector<Range>> dealt(static_cast<std::size_t>(ranks));
  for (Index i = 0; i < count; ++i) {
    const Index turn = i / ranks, place = i % ranks;
    const Index rank = turn % 2 == 0 ? place : ranks - 1 - place;
    dealt[static_cast<std::size_t>(rank)].push_back(
        {length_ * i / count, length_ * (i + 1) / count});
  }
  for (auto& ranges : dealt) blocks_.emplace_back(std::move(ranges));
}

template <class T, int N>
Tensor<T, N> Sequence::local(const Tensor<T, N>& whole) const {
  static_assert(N >= 2 && N <= 4, "a tensor of a sequence is (…, S, E)");
  Shape<N> shape = whole.shape();
  if (shape[N - 2] != length_)
    throw ShapeError("Sequence: a tensor " + to_string(shape) + " must have the length S = " +
                     std::to_string(length_) + " before its last axis");
  shape[N - 2] = size();
  auto part = Tensor<T, N>::for_overwrite(shape);
  detail::pack(attn::detail::with_leading_axes<4>(whole.view()), Blocks({{0, length_}}),
               blocks_of(world_->rank()), part.data());
  return part;
}

template <class T, int N>
std::optional<Tensor<T, N>> Sequence::gather(const Tensor<T, N>& part) const {
  static_assert(N >= 2 && N <= 4, "a tensor of a sequence is (…, S, E)");
  Shape<N> shape = part.shape();
  shape[N - 2] = length_;
  Together together(*world_, "Sequence: gather " + detail::type_name<T>() + " " + to_string(shape));
  const auto ranks = static_cast<std::size_t>(world_->size());
  std::vector<Index> sent(ranks), received(ranks);
  std::optional<Tensor<T, N>> whole;
  Tensor<T, 1> message;
  together.compute([&] {
    if (part.shape()[N - 2] != size())
      throw ShapeError("Sequence: a tensor " + to_string(part.shape()) + " must have the " +
                       std::to_string(size()) + " positions that are here before its last axis");
    sent[0] = part.size();
    if (world_->rank() > 0) return;
    whole.emplace(Tensor<T, N>::for_overwrite(shape));
    message = Tensor<T, 1>::for_overwrite({whole->size()});
    const Index width = length_ > 0 ? whole->size() / length_ : 0;
    for (std::size_t rank = 0; rank < ranks; ++rank) received[rank] = width * blocks_[rank].size();
  });
  together.finish();
  all_to_all(*world_, std::span<const T>(part.data(), static_cast<std::size_t>(part.size())), sent,
             std::span<T>(message.data(), static_cast<std::size_t>(message.size())), received)
      .wait();
  const T* end = message.data();
  if (whole)
    for (const Blocks& blocks : blocks_)
      end = detail::unpack(end, attn::detail::with_leading_axes<4>(whole->view()),
                           Blocks({{0, length_}}), blocks);
  return whole;
}

}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
