#pragma once

#include <attn/attention/attention_call.hpp>
#include <attn/mpi/rank_grid.hpp>
#include <attn/mpi/windowed_attention.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// Attention of the positions of all ranks, in the layout of a grid: of a part of the heads, this
/// row's positions (B, H/U, N, E), see HeadExchange.
template <class T, class Kernel, Rule R>
class DividedCall {
 public:
  /// `rule` is bound to all scores.
  DividedCall(const RankGrid& grid, const Kernel& kernel, const BoundRule<R>& rule,
              const ScoreShape& scores, T scale)
      : grid_(grid),
        kernel_(kernel),
        rule_(rule),
        length_(scores.keys),
        heads_(scores.heads / grid.row.size()),
        scale_(scale),
        sinks_(attn::detail::sinks_of<T>(rule, scores.heads)) {}

  void forward(Together& together, const AttentionInputs<T>& inputs,
               const AttentionOutputs<T>& outputs) const {
    if (grid_.column.size() > 1) return windows(inputs).forward(together, outputs);
    together.compute([&] { whole(inputs).forward(kernel_, rule_, outputs); });
  }
  void backward(Together& together, const AttentionInputs<T>& inputs,
                const BackwardInputs<T>& given, const InputGradients<T>& gradients) const {
    if (grid_.column.size() > 1) return windows(inputs).backward(together, given, gradients);
    together.compute([&] { whole(inputs).backward(kernel_, rule_, given, gradients); });
  }

 private:
  using Call = attn::detail::AttentionCall<T, TensorView<const T, 4>, TensorView<const T, 4>>;

  Index first_head() const { return grid_.row.rank() * heads_; }
  std::span<const T> sinks() const {
    if (sinks_.empty()) return {};
    return std::span(sinks_).subspan(static_cast<std::size_t>(first_head()),
                                     static_cast<std::size_t>(heads_));
  }
  WindowedAttention<T, Kernel, R> windows(const AttentionInputs<T>& inputs) const {
    return {grid_.column, grid_.column_blocks, kernel_, rule_,  inputs,
            length_,      first_head(),        scale_,  sinks()};
  }
  /// All positions are here.
  Call whole(const AttentionInputs<T>& inputs) const {
    Call call{{inputs}, scale_};
    call.first_head = first_head();
    call.sinks = sinks();
    return call;
  }

  const RankGrid& grid_;
  const Kernel& kernel_;
  const BoundRule<R>& rule_;
  Index length_, heads_;
  T scale_;
  std::vector<T> sinks_;
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
