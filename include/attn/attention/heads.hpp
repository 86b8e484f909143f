#pragma once

#include <attn/attention/weight_mask.hpp>
#include <attn/core/range.hpp>
#include <attn/core/tensor.hpp>
#include <attn/parallel/task_memory.hpp>
#include <attn/rules/rule.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What a kernel reads for some queries of one head of one sequence, by the paper's letters: Q
/// (Br×E), K (S×E), V (S×Ev), the factor of the scores, and where the queries stand: Q's first row
/// is row `row` of the head.
template <class T>
struct HeadInput {
  using Matrix = typename TensorView<const T, 2>::MatrixMap;
  Matrix Q, K, V;
  T scale;
  Index batch, head, row;
  const WeightMask<T>* mask;  ///< of the weights that are dropped; null where none are
};

/// Where a kernel writes: O (Br×Ev), and where they are asked for the weights P (Br×S) and the Br
/// log-sum-exps.
template <class T>
struct HeadOutput {
  using Matrix = typename TensorView<T, 2>::MatrixMap;
  Matrix O;
  std::optional<Matrix> P;
  T* log_sum_exp;
};

/// What backward reads besides the input, all of a head: O (L×Ev), dO and the L log-sum-exps; and
/// what it writes: dQ (L×E) is overwritten with what comes of some keys, to the rows of dK (S×E)
/// and dV (S×Ev) of these keys their part is added.
template <class T>
struct HeadGradient {
  typename HeadInput<T>::Matrix O, dO;
  const T* log_sum_exp;
  mutable typename HeadOutput<T>::Matrix dQ, dK, dV;
};

/// Where forward writes what backward needs, and the mask of both, if weights are dropped.
template <class T>
struct HeadsOutput {
  TensorView<T, 4> output;
  TensorView<T, 3> log_sum_exp;
  const WeightMask<T>* mask = nullptr;
};

/// What backward reads besides the heads of a call, and where it writes: shapes are those of
/// output, query, key and value.
template <class T>
struct HeadsGradient {
  TensorView<const T, 4> output;
  TensorView<const T, 3> log_sum_exp;
  TensorView<const T, 4> d_output;
  TensorView<T, 4> d_query, d_key, d_value;
  const WeightMask<T>* mask = nullptr;
};

/// All heads of a call: query (B, H, L, E), key (B, G, S, E), value (B, G, S, Ev), output (B, H, L,
/// Ev). Query head h reads key head h·G/H, where it lies [Ainslie23]. The only place that knows of
/// batch, heads, groups and threads.
template <class T>
struct Heads {
  TensorView<const T, 4> query, key, value;
  T scale;
  const WeightMask<T>* mask = nullptr;

  ScoreShape scores() const {
    return {query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]};
  }
  Shape<4> output_shape() const {
    return {query.shape()[0], query.shape()[1], query.shape()[2], value.shape()[3]};
  }
  Shape<4> weights_shape() const {
    return {query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]};
  }
  Shape<3> log_sum_exp_shape() const {
    return {query.shape()[0], query.shape()[1], query.shape()[2]};
  }

  /// Errors: ShapeError naming the argument that does not fit.
  void check() const {
    const auto &q = query.shape(), &k = key.shape(), &v = value.shape();
    const auto expect = [](bool good, const char* argument, const Shape<4>& got, const char* rule,
                           Index wanted) {
      if (!good)
        throw ShapeError(std::string("ScaledDotProductAttention: ") + argument + " " +
                         to_string(got) + " must have " + rule + std::to_string(wanted));
    };
    expect(k[0] == q[0], "key", k, "query's batch B = ", q[0]);
    expect(k[3] == q[3], "key", k, "query's head size E = ", q[3]);
    expect(k[1] == q[1] || (k[1] > 0 && q[1] % k[1] == 0), "key", k,
           "a number of heads G that divides query's H = ", q[1]);
    expect(v[0] == k[0], "value", v, "key's batch B = ", k[0]);
    expect(v[1] == k[1], "value", v, "key's number of heads G = ", k[1]);
    expect(v[2] == k[2], "value", v, "key's length S = ", k[2]);
  }

  /// Errors: ShapeError naming what does not fit the operands.
  void check(const HeadsGradient<T>& to) const {
    const auto expect = [](const auto& view, const auto& wanted, const char* argument) {
      if (view.shape() != wanted)
        throw ShapeError(std::string("ScaledDotProductAttention: ") + argument + " " +
                         to_string(view.shape()) + " must have the shape " + to_string(wanted));
    };
    expect(to.output, output_shape(), "output");
    expect(to.log_sum_exp, log_sum_exp_shape(), "log_sum_exp");
    expect(to.d_output, output_shape(), "d_output");
    expect(to.d_query, query.shape(), "d_query");
    expect(to.d_key, key.shape(), "d_key");
    expect(to.d_value, value.shape(), "d_value");
  }

  /// Runs the kernel on all queries, `kernel.queries(…)` of a head at a time, in parallel; each row
  /// of the output is computed by one task. A head's last queries come first: under a causal rule
  /// they have most to do.
  template <class Kernel, Rule R>
  void run(const Kernel& kernel, const Bound<R>& rule, const TensorView<T, 4>& output,
           const TensorView<T, 4>* weights, const TensorView<T, 3>* log_sum_exp) const {
    const auto [B, H, L, E] = query.shape();
    const Index G = key.shape()[1], S = key.shape()[2], Ev = value.shape()[3];
    if (output.size() == 0 && !weights && !log_sum_exp) return;
    const Index rows = kernel.template queries<T>(E, Ev), tiles = (L + rows - 1) / rows;
    parallel_for<T>(
        B * H * tiles, kernel.template scratch<T>(E, Ev, S),
        [&, H = H, L = L](Index task, T* scratch) {
          const Index b = task / tiles / H, h = task / tiles % H, g = h * G / H,
                      row = (tiles - 1 - task % tiles) * rows, n = std::min(rows, L - row);
          const auto part = [&](const auto& view, Index head) {
            return view[b][head].slice(0, row, row + n).matrix();
          };
          const HeadInput<T> in{
              part(query, h), key.matrix(b, g), value.matrix(b, g), scale, b, h, row, mask};
          HeadOutput<T> out{part(output, h), std::nullopt,
                            log_sum_exp ? &(*log_sum_exp)(b, h, row) : nullptr};
          if (weights) out.P.emplace(part(*weights, h));
          kernel(in, rule, out, scratch);
        });
  }

  /// The backward pass. A task has the heads of a group and a segment of their keys, which it adds
  /// to alone; what each segment gives dQ is kept apart, and added up one after the other. Where
  /// there are heads enough, or dQ is large, a task has all segments: to the same bits.
  template <class Kernel, Rule R>
  void backward(const Kernel& kernel, const Bound<R>& rule, const HeadsGradient<T>& to) const {
    const auto [B, H, L, E] = query.shape();
    const Index G = key.shape()[1], S = key.shape()[2], Ev = value.shape()[3],
                group = G > 0 ? H / G : 0;
    if (B * H * L == 0 || S == 0) {
      for (const auto& gradient : {to.d_query, to.d_key, to.d_value}) fill_zero(gradient);
      return;
    }
    constexpr Index enough_tasks = 32, most_memory = (Index{48} << 20) / sizeof(T);
    const Index segment = kernel.segment(S), segments = (S + segment - 1) / segment;
    const bool apart = B * G < enough_tasks && (segments - 1) * to.d_query.size() <= most_memory;
    const Index parts = apart ? segments : 1, size = apart ? segment : S;
    Tensor<T, 5> others({parts - 1, B, H, L, E});
    parallel_for<T>(
        B * G * parts, kernel.template backward_scratch<T>(E, Ev, S),
        [&, B = B](Index task, T* scratch) {
          const Index part = task / (B * G), b = task % (B * G) / G, g = task % G;
          const Range keys{part * size, std::min(S, (part + 1) * size)};
          auto dK = to.d_key.matrix(b, g), dV = to.d_value.matrix(b, g);
          dK.middleRows(keys.begin, keys.size()).setZero(),
              dV.middleRows(keys.begin, keys.size()).setZero();
          for (Index h = g * group; h < (g + 1) * group; ++h) {
            const HeadInput<T> in{
                query.matrix(b, h), key.matrix(b, g), value.matrix(b, g), scale, b, h, 0, mask};
            kernel.backward(
                in, rule,
                HeadGradient<T>{
                    to.output.matrix(b, h), to.d_output.matrix(b, h), &to.log_sum_exp(b, h, 0),
                    part == 0 ? to.d_query.matrix(b, h) : others.matrix(part - 1, b, h), dK, dV},
                keys, scratch);
          }
        });
    if (parts > 1)
      parallel_for(B * H, [&, H = H](Index task) {
        auto dQ = to.d_query.matrix(task / H, task % H);
        for (Index part = 1; part < parts; ++part)
          dQ += others.matrix(part - 1, task / H, task % H);
      });
  }

 private:
  static void fill_zero(const TensorView<T, 4>& view) {
    for (Index b = 0; b < view.shape()[0]; ++b)
      for (Index h = 0; h < view.shape()[1]; ++h) view.matrix(b, h).setZero();
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
