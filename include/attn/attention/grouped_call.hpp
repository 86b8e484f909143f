#pragma once

#include <attn/attention/attention_call.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A call in which the query heads that share keys are computed as the queries of one head, one
/// head after the other, so that keys and values are read once for all of them; or the call as it
/// is, where that cannot be, or would not be faster. What a query gets does not change, bitwise.
template <class Call, Rule R>
class GroupedCall {
  using T = typename Call::Scalar;

 public:
  Call call;
  BoundRule<R> rule;
  AttentionOutputs<T> outputs;

  template <class Kernel>
  GroupedCall(const Kernel& kernel, const Call& given, const BoundRule<R>& the_rule,
              const AttentionOutputs<T>& to)
      : call(given), rule(the_rule), outputs(to) {
    if constexpr (SameForHeads<R>)
      if (may_group() && pays(kernel.template plan<T>(call.sizes()))) group();
  }
  GroupedCall(const GroupedCall&) = delete;  // the call refers to the sinks here
  GroupedCall(GroupedCall&&) = default;

 private:
  /// Whether nothing but the keys depends on the head, and rows of heads are evenly spaced.
  bool may_group() const {
    return call.key_heads() < call.heads() && call.queries() > 0 &&
           (call.queries() == 1 || !BoundRule<R>::changes_scores) && !call.inputs.dropout &&
           !outputs.weights && !outputs.log_sum_exp && evenly_spaced(call.inputs.query) &&
           evenly_spaced(outputs.output);
  }
  /// Keys would otherwise be read by several tasks.
  bool pays(const KernelPlan& plan) const {
    return call.queries() == 1 || call.heads() / call.key_heads() * call.queries() <= plan.queries;
  }
  [[gnu::cold]] void group() {
    const Index G = call.key_heads();
    rule.count_rows_by_heads(call.queries());
    if constexpr (BoundRule<R>::has_sink) {
      for (const T sink : call.sinks)
        for (Index i = 0; i < call.queries(); ++i) sinks_.push_back(sink);
      call.sinks = sinks_;
    }
    call.inputs.query = by_groups(call.inputs.query, G);
    outputs.output = by_groups(outputs.output, G);
  }
  /// Whether the rows of a group are so in memory.
  template <class U>
  static bool evenly_spaced(const TensorView<U, 4>& x) {
    return x.shape()[2] == 1 || x.strides()[1] == x.shape()[2] * x.strides()[2];
  }
  /// (B, H, L, E) as (B, G, H/G · L, E), in place.
  template <class U>
  static TensorView<U, 4> by_groups(const TensorView<U, 4>& x, Index groups) {
    const auto [B, H, L, E] = x.shape();
    const Index heads = H / groups, row = L == 1 ? x.strides()[1] : x.strides()[2];
    const Shape<4> strides{x.strides()[0], heads * x.strides()[1], row, 1};
    return {x.data(), {B, groups, heads * L, E}, strides};
  }

  std::vector<T> sinks_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
