#pragma once

#include <attn/core/tensor_view.hpp>
#include <attn/math/online_softmax.hpp>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What attention over some of the keys gives: output (B, H, L, Ev) and log-sum-exp (B, H, L), in
/// the memory of somebody else. Two merge into that of all their keys, in either order, so that the
/// keys can be split between threads or processes.
///
///   auto all = attend.with_log_sum_exp(q, k1, v1);
///   auto more = attend.with_log_sum_exp(q, k2, v2);
///   Partial<float>{all.output, all.log_sum_exp}.merge({more.output, more.log_sum_exp});
template <class T>
struct Partial {
  TensorView<T, 4> output;
  TensorView<T, 3> log_sum_exp;

  /// With m and ℓ of the two log-sum-exps x and x':
  ///   O ← (e^(x − m) O + e^(x' − m) O') / ℓ   x ← m + log ℓ
  /// Numerics: a query that attends to nothing in one part, with −∞ there, keeps the other part
  /// bitwise.
  /// Errors: ShapeError if the parts are not of the same shape.
  void merge(const Partial<const T>& other) const {
    if (other.output.shape() != output.shape() || other.log_sum_exp.shape() != log_sum_exp.shape())
      throw ShapeError("Partial: the merged output " + to_string(other.output.shape()) +
                       " and log_sum_exp " + to_string(other.log_sum_exp.shape()) +
                       " must have the shapes " + to_string(output.shape()) + " and " +
                       to_string(log_sum_exp.shape()));
    const Index H = output.shape()[1];
    parallel_for(output.shape()[0] * H, [&](Index task) {
      for (Index i = 0; i < output.shape()[2]; ++i) merge_query(other, task / H, task % H, i);
    });
  }

 private:
  void merge_query(const Partial<const T>& other, Index b, Index h, Index i) const {
    constexpr T nothing = -std::numeric_limits<T>::infinity();
    T& x = log_sum_exp(b, h, i);
    const T other_x = other.log_sum_exp(b, h, i);
    if (other_x == nothing) return;
    OnlineSoftmax<T> all{log2e<T> * x, x == nothing ? T(0) : T(1)};
    const auto factors = all.merge({log2e<T> * other_x, T(1)});
    const auto row = [&](const auto& view) {
      return view.data() + b * view.strides()[0] + h * view.strides()[1] + i * view.strides()[2];
    };
    T* const O = row(output);
    const T* const other_O = row(other.output);
    const bool empty = x == nothing;
    for (Index e = 0; e < output.shape()[3]; ++e)
      O[e] = empty ? other_O[e] : (O[e] * factors.previous + other_O[e] * factors.added) / all.sum;
    x = std::max(x, other_x) + std::log(all.sum);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
