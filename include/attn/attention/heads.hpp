#pragma once

#include <attn/core/scratch.hpp>
#include <attn/core/tensor.hpp>
#include <attn/rules/rule.hpp>

namespace attn::inline ATTN_ABI {

/// What a kernel reads for some queries of one head of one sequence, by the paper's letters: Q (Br×E), K (S×E), V (S×Ev), the
/// factor of the scores, and where the queries stand: Q's first row is row `row` of the head.
template <class T>
struct HeadInput {
  using Matrix = typename TensorView<const T, 2>::MatrixMap;
  Matrix Q, K, V;
  T scale;
  Index batch, head, row;
};

/// Where a kernel writes: O (Br×Ev), and where they are asked for the weights P (Br×S) and the Br log-sum-exps.
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
    const auto expect = [](bool good, const char* argument, const Shape<4>& got, const char* rule, Index wanted) {
      if (!good) throw ShapeError(std::string("ScaledDotProductAttention: ") + argument + " " + to_string(got) + " must have " + rule + std::to_string(wanted));
    };
    expect(k[0] == q[0], "key", k, "query's batch B = ", q[0]);
    expect(k[3] == q[3], "key", k, "query's head size E = ", q[3]);
    expect(k[1] == q[1] || (k[1] > 0 && q[1] % k[1] == 0), "key", k, "a number of heads G that divides query's H = ", q[1]);
    expect(v[0] == k[0], "value", v, "key's batch B = ", k[0]);
    expect(v[1] == k[1], "value", v, "key's number of heads G = ", k[1]);
    expect(v[2] == k[2], "value", v, "key's length S = ", k[2]);
  }

  /// Runs the kernel on all queries, `kernel.queries(…)` of a head at a time, in parallel; each row of the output is computed by
  /// one task. A head's last queries come first: under a causal rule they have most to do.
  template <class Kernel, Rule R>
  void run(const Kernel& kernel, const Bound<R>& rule, const TensorView<T, 4>& output, const TensorView<T, 4>* weights,
           const TensorView<T, 3>* log_sum_exp) const {
    const auto [B, H, L, E] = query.shape();
    const Index G = key.shape()[1], S = key.shape()[2], Ev = value.shape()[3];
    if (output.size() == 0 && !weights && !log_sum_exp) return;
    const Index rows = kernel.template queries<T>(E, Ev), tiles = (L + rows - 1) / rows;
    parallel_for<T>(B * H * tiles, kernel.template scratch<T>(E, Ev, S), [&, H = H, L = L](Index task, T* scratch) {
      const Index b = task / tiles / H, h = task / tiles % H, g = h * G / H, row = (tiles - 1 - task % tiles) * rows, n = std::min(rows, L - row);
      const auto part = [&](const auto& view, Index head) { return view[b][head].slice(0, row, row + n).matrix(); };
      const HeadInput<T> in{part(query, h), key.matrix(b, g), value.matrix(b, g), scale, b, h, row};
      HeadOutput<T> out{part(output, h), std::nullopt, log_sum_exp ? &(*log_sum_exp)(b, h, row) : nullptr};
      if (weights) out.P.emplace(part(*weights, h));
      kernel(in, rule, out, scratch);
    });
  }
};

}  // namespace attn::inline ATTN_ABI
