#pragma once

#include <attn/core/executor.hpp>
#include <attn/core/tensor.hpp>
#include <attn/rules/rule.hpp>

namespace attn::inline ATTN_ABI {

/// What a kernel reads for one head of one sequence, by the paper's letters: Q (L×E), K (S×E), V (S×Ev), the factor of the
/// scores, and which head it is.
template <class T>
struct HeadInput {
  using Matrix = typename TensorView<const T, 2>::MatrixMap;
  Matrix Q, K, V;
  T scale;
  Index batch, head;
};

/// Where a kernel writes: O (L×Ev), and where they are asked for the weights P (L×S) and the L log-sum-exps.
template <class T>
struct HeadOutput {
  using Matrix = typename TensorView<T, 2>::MatrixMap;
  Matrix O;
  std::optional<Matrix> P;
  T* log_sum_exp;
};

/// All heads of a call: query (B, H, L, E), key (B, G, S, E), value (B, G, S, Ev), output (B, H, L, Ev). Query head h reads
/// key head h·G/H, where it lies [Ainslie23]. The only place that knows of batch, heads, groups and threads.
template <class T>
struct Heads {
  TensorView<const T, 4> query, key, value;
  T scale;

  ScoreShape scores() const { return {query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]}; }
  Shape<4> output_shape() const { return {query.shape()[0], query.shape()[1], query.shape()[2], value.shape()[3]}; }
  Shape<4> weights_shape() const { return {query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]}; }
  Shape<3> log_sum_exp_shape() const { return {query.shape()[0], query.shape()[1], query.shape()[2]}; }

  /// Errors: ShapeError naming the argument that does not fit.
  void check() const {
    const auto &q = query.shape(), &k = key.shape(), &v = value.shape();
    const auto expect = [](bool good, const char* argument, const Shape<4>& got, const std::string& rule) {
      if (!good) throw ShapeError(std::string("ScaledDotProductAttention: ") + argument + " " + to_string(got) + " must have " + rule);
    };
    expect(k[0] == q[0], "key", k, "query's batch B = " + std::to_string(q[0]));
    expect(k[3] == q[3], "key", k, "query's head size E = " + std::to_string(q[3]));
    expect(k[1] == q[1] || (k[1] > 0 && q[1] % k[1] == 0), "key", k, "a number of heads G that divides query's H = " + std::to_string(q[1]));
    expect(v[0] == k[0], "value", v, "key's batch B = " + std::to_string(k[0]));
    expect(v[1] == k[1], "value", v, "key's number of heads G = " + std::to_string(k[1]));
    expect(v[2] == k[2], "value", v, "key's length S = " + std::to_string(k[2]));
  }

  /// Runs the kernel on every head, in parallel; each row of the output is computed by one task.
  template <class Kernel, Rule R>
  void run(const Kernel& kernel, const Bound<R>& rule, const TensorView<T, 4>& output, const TensorView<T, 4>* weights, const TensorView<T, 3>* log_sum_exp) const {
    const Index H = query.shape()[1], G = key.shape()[1], L = query.shape()[2];
    if (output.size() == 0 && !weights && !log_sum_exp) return;
    parallel_for(query.shape()[0] * H, [&](Index task) {
      const Index b = task / H, h = task % H, g = h * G / H;
      const HeadInput<T> in{query.matrix(b, h), key.matrix(b, g), value.matrix(b, g), scale, b, h};
      HeadOutput<T> out{output.matrix(b, h), std::nullopt, log_sum_exp ? log_sum_exp->data() + (b * H + h) * L : nullptr};
      if (weights) out.P.emplace(weights->matrix(b, h));
      kernel(in, rule, out);
    });
  }
};

}  // namespace attn::inline ATTN_ABI
