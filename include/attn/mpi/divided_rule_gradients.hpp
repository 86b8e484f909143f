#pragma once

#include <attn/mpi/rule_rows.hpp>
#include <attn/mpi/sequence.hpp>
#include <attn/mpi/window.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi::detail {

/// The gradients of a rule's parameters under attention of a divided sequence. Each rank has the
/// queries, keys, values and results (B, H, n, E) of its positions, with all heads, and afterwards
/// the gradients of all scores, bitwise those of one process.
///
/// Keys and values of one head at a time are gathered on all ranks, and each rank finds the terms
/// of its rows of scores. Then the terms are gathered, and every rank adds them in the order of the
/// rows.
/// Cost: what one process computes is divided among the ranks. A rank receives all keys and values,
/// and the terms of all rows: for each part of 16 rows, and for each row of a part that is divided
/// between ranks, one term of each parameter that their scores have. It has memory for the keys and
/// values of a head, and for the terms of an eighth of the rows.
template <class T, Rule R>
class DividedRuleGradients {
 public:
  /// `rule` is bound to all scores.
  DividedRuleGradients(const Sequence& sequence, const BoundRule<R>& rule,
                       const AttentionInputs<T>& inputs, const BackwardInputs<T>& given, T scale)
      : world_(sequence.world()),
        length_(sequence.length()),
        rule_(rule),
        parameters_(rule),
        inputs_(inputs),
        given_(given),
        scale_(scale) {
    for (Index rank = 0; rank < world_.size(); ++rank) blocks_.push_back(sequence.blocks_of(rank));
  }

  /// A collective operation.
  void add() const {
    if (batch() * heads() * length_ == 0) return;
    if constexpr (BoundRule<R>::has_parameters) add_of_scores();
    if constexpr (BoundRule<R>::learns_sink) add_of_sinks();
  }

 private:
  using Task = HeadTask<T>;
  using Terms = attn::detail::RuleTerms<T>;

  /// A query head, and the keys and values that it reads.
  struct Head {
    Index b, h;
    const Window<T>& keys;
  };
  /// The terms of a window of rows, of this rank and of all, whose memory the next window uses.
  struct WindowTerms {
    Terms here, all;
  };

  Index batch() const { return inputs_.query.shape()[0]; }
  Index heads() const { return inputs_.query.shape()[1]; }

  void add_of_scores() const {
    Together together(world_, "SequenceParallel: gradients of " +
                                  std::to_string(parameters_.size()) + " parameters of the rule");
    if (parameters_.size() == 0) return;
    const Index G = inputs_.key.shape()[1], group = heads() / G;
    const std::vector<Range> all{{0, length_}};
    WindowTerms terms;
    for (Index b = 0; b < batch(); ++b)
      for (Index g = 0; g < G; ++g) {
        const DividedRows<T> rows{
            world_, blocks_, {of_head(inputs_.key, b, g), of_head(inputs_.value, b, g)}};
        std::optional<Window<T>> keys;
        together.compute([&] { keys.emplace(rows, all); });
        together.finish();
        keys->start(all.front());
        keys->wait();
        for (Index h = g * group; h < (g + 1) * group; ++h)
          for (const Range& window : windows_of(length_, attn::detail::rule_part_rows))
            add_of_rows(together, {b, h, *keys}, window, terms);
      }
  }
  static TensorView<const T, 4> of_head(const TensorView<const T, 4>& x, Index b, Index g) {
    return x.slice(0, b, b + 1).slice(1, g, g + 1);
  }

  /// The terms of a window of rows of all ranks, which are gathered and added.
  void add_of_rows(Together& together, const Head& head, Range window, WindowTerms& terms) const {
    RuleRowsOfRanks rows;
    together.compute([&] {
      rows = RuleRowsOfRanks(blocks_, window, length_);
      find(head, rows.of_rank(world_.rank()), rows.sizes_of_rank(world_.rank()), terms.here);
    });
    together.finish();
    all_gather(world_, std::span(rows.sizes), rows.counts()).wait();
    together.compute([&] { terms.all.resize(static_cast<std::size_t>(sum_of(rows.sizes))); });
    together.finish();
    all_gather(world_, terms.here, std::span(terms.all), rows.sizes_of_ranks()).wait();
    together.compute([&] { add_in_order(parameters_, rows.with_terms<T>(terms.all)); });
    together.finish();
  }
  /// Writes the terms of some rows, one after the other, and how many each of them has.
  void find(const Head& head, std::span<const RuleRows> rows, std::span<Index> sizes,
            Terms& all) const {
    std::vector<Terms> found(rows.size());
    parallel_for(std::ssize(rows), [&](Index n) {
      const auto at = static_cast<std::size_t>(n);
      found[at] = attn::detail::terms_of_rows(task(head, rows[at]), rule_, results(head, rows[at]),
                                              parameters_);
      sizes[at] = std::ssize(found[at]);
    });
    all.clear();
    all.reserve(static_cast<std::size_t>(sum_of(sizes)));
    for (const Terms& terms : found) all.insert(all.end(), terms.begin(), terms.end());
  }
  Task task(const Head& head, const RuleRows& rows) const {
    return {part(inputs_.query, head, rows).matrix(),
            StridedRows<T>(head.keys.rows(0)[0][0]),
            StridedRows<T>(head.keys.rows(1)[0][0]),
            scale_,
            head.b,
            head.h,
            rows.positions.begin,
            {0, length_},
            inputs_.dropout};
  }
  HeadResults<T> results(const Head& head, const RuleRows& rows) const {
    return {part(given_.output, head, rows).matrix(), part(given_.d_output, head, rows).matrix(),
            part(given_.log_sum_exp, head, rows)};
  }
  template <int N>
  static auto part(const TensorView<const T, N>& x, const Head& head, const RuleRows& rows) {
    return x[head.b][head.h].slice(0, rows.row, rows.row + rows.positions.size());
  }

  /// The log-sum-exps and D of all queries are gathered, and every rank sums them.
  void add_of_sinks() const {
    Together together(world_, "SequenceParallel: gradients of sinks");
    Tensor<T, 3> D;
    together.compute([&] { D = attn::detail::output_dots(given_); });
    const DividedRows<T> rows{world_,
                              blocks_,
                              {attn::detail::with_trailing_axis(given_.log_sum_exp),
                               attn::detail::with_trailing_axis(std::as_const(D).view())}};
    for_each_window<T>(together, rows, {{0, length_}}, [&](const Window<T>& window) {
      const Shape<3> shape{batch(), heads(), length_};
      attn::detail::add_sink_gradients(rule_, TensorView<const T, 3>(window.rows(0).data(), shape),
                                       TensorView<const T, 3>(window.rows(1).data(), shape));
    });
    together.finish();
  }

  const World& world_;
  Index length_;
  std::vector<Blocks> blocks_;  // the positions of each rank
  const BoundRule<R>& rule_;
  attn::detail::RuleParameters<T> parameters_;
  AttentionInputs<T> inputs_;
  BackwardInputs<T> given_;
  T scale_;
};

}  // namespace mpi::detail
}  // namespace ATTN_ABI
}  // namespace attn
