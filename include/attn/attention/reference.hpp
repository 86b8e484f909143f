#pragma once

#include <attn/attention/kernel.hpp>
#include <attn/math/softmax.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Attention(Q, K, V) = softmax(Q Kᵀ · scale) V, row by row as printed [Vaswani17 Eq.1]: the
/// reference implementation, which every other kernel is tested against. Both sums run over the
/// allowed keys only, so that what a masked key holds, NaN included, is never read. A sink is one
/// more score, which has no value.
/// Cost: O(L·S·(E + Ev)) time, two rows of S + 1 elements of workspace a thread.
struct Reference {
  static constexpr bool adds_sinks = true;

  template <class T>
  KernelPlan plan(const HeadSizes& sizes) const {
    return {.queries = 16,
            .workspace_size = 2 * (sizes.keys + 1),
            .backward_workspace_size = 3 * sizes.keys,
            .segment = sizes.keys};
  }

  template <class Task, class R, class T = typename Task::Scalar>
  void forward(const Task& task, const R& rule, const HeadOutputs<T>& outputs, T* workspace) const {
    const auto size = static_cast<std::size_t>(task.keys.size());
    const std::size_t scores = size + (task.sinks.empty() ? 0 : 1);
    const std::span<T> s(workspace, scores), p(workspace + scores, scores);
    auto O = outputs.output.matrix();
    for (Index i = 0; i < task.Q.rows(); ++i) {
      for (std::size_t n = 0; n < size; ++n) {
        const Index j = task.keys.begin + static_cast<Index>(n);
        const Position at = task.at(i, j);
        s[n] = rule.allows(at) ? rule.score(task.scale * dot(task.Q, i, task.K, j), at) : none<T>;
      }
      if (scores > size) s[size] = task.sink(i);
      const T log_sum_exp = softmax<T>(s, p);
      O.row(i).setZero();
      for (std::size_t n = 0; n < size; ++n) {
        if (s[n] == none<T>) continue;
        const Index j = task.keys.begin + static_cast<Index>(n);
        add_row(p[n] * dropout(task, i, j), task.V, j, O.data() + i * O.outerStride());
      }
      if (outputs.weights) std::copy_n(p.data(), size, weights_of(outputs, i, task.keys.begin));
      if (outputs.log_sum_exp) (*outputs.log_sum_exp)(i) = log_sum_exp;
    }
  }

  /// With s = rule(scale · Q Kᵀ) and its derivative s′:
  ///   dV = Pᵀ dO   dP = dO Vᵀ   dS = P ∘ (dP − Σ_k P_k dP_k) ∘ s′ · scale   dQ = dS K   dK = dSᵀ Q
  template <class Task, class R, class T = typename Task::Scalar>
  void backward(const Task& task, const R& rule, const HeadResults<T>& results,
                const HeadGradients<T>& gradients, T* workspace) const {
    const Index size = task.keys.size();
    T *const s = workspace, *const slope = s + size, *const p = slope + size;
    auto dQ = gradients.query.matrix(), dK = gradients.key.matrix(), dV = gradients.value.matrix();
    for (Index i = 0; i < task.Q.rows(); ++i) {
      T D = 0;  // Σ_k P_k dP_k over all keys, as the product with their weighted sum
      for (Index e = 0; e < results.O.cols(); ++e) D += results.dO(i, e) * results.O(i, e);
      for (Index n = 0; n < size; ++n) {
        const Index j = task.keys.begin + n;
        const Position at = task.at(i, j);
        const Dual<T> changed =
            rule.allows(at) ? rule.score(Dual<T>(task.scale * dot(task.Q, i, task.K, j), T(1)), at)
                            : Dual<T>(none<T>);
        s[n] = changed.value;
        slope[n] = changed.slope;
        p[n] = s[n] == none<T> ? T(0) : std::exp(s[n] - results.log_sum_exp(i));
      }
      for (Index n = 0; n < size; ++n) {
        if (s[n] == none<T>) continue;
        const Index j = task.keys.begin + n;
        const T M = dropout(task, i, j);
        const T dS = p[n] * (M * dot(results.dO, i, task.V, j) - D) * slope[n] * task.scale;
        dV.row(n) += p[n] * M * results.dO.row(i);
        dK.row(n) += dS * task.Q.row(i);
        add_row(dS, task.K, j, dQ.data() + i * dQ.outerStride());
      }
    }
  }

 private:
  template <class T>
  static constexpr T none = -std::numeric_limits<T>::infinity();

  /// M of a weight; 1 without dropout.
  template <class Task>
  static auto dropout(const Task& task, Index i, Index j) {
    using T = typename Task::Scalar;
    return task.dropout ? (*task.dropout)(task.at(i, j)) : T(1);
  }
  /// Where the weights of query i begin that a task writes.
  template <class T>
  static T* weights_of(const HeadOutputs<T>& outputs, Index i, Index first_key) {
    return outputs.weights->data() + i * outputs.weights->strides()[0] + first_key;
  }
  /// Σ_e A_ie B_je, in the order of e.
  template <class Matrix, class Rows>
  static auto dot(const Matrix& A, Index i, const Rows& B, Index j) {
    const auto B_j = B.tile({j, j + 1});
    typename Matrix::Scalar sum = 0;
    for (Index e = 0; e < A.cols();) {
      const auto cursor = B_j.at(0, e);
      for (const Index first = e, end = e + B_j.run(e, A.cols() - e); e < end; ++e)
        sum += A(i, e) * B_j.load(cursor, e - first);
    }
    return sum;
  }
  /// y += weight · X_j
  template <class T, class Rows>
  static void add_row(T weight, const Rows& X, Index j, T* y) {
    const auto X_j = X.tile({j, j + 1});
    for (Index e = 0; e < X.columns();) {
      const auto cursor = X_j.at(0, e);
      for (const Index first = e, end = e + X_j.run(e, X.columns() - e); e < end; ++e)
        y[e] += weight * X_j.load(cursor, e - first);
    }
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
