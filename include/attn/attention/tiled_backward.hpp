#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_TILED_BACKWARD_HPP
#define ATTN_ATTENTION_TILED_BACKWARD_HPP

#include <attn/attention/gradient_tile.hpp>
#include <attn/gemm/product.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

inline constexpr Index backward_tile_keys = 96;  ///< Bc

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/attention/tiled_backward.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Where the matrices of a tile of queries lie in the workspace of a backward task: P and dS
/// against a tile of keys, Q · scale and dO as right factors, and the panels.
template <class T>
struct TiledBackwardLayout {
  WeightTiles<T> tiles;
  T *Q_columns, *dO_columns, *panels;

  /// `queries` is Br, whole panels.
  TiledBackwardLayout(Index E, Index Ev, Index queries, T* memory) {
    tiles = {memory, memory + tile_size(queries), queries};
    Q_columns = tiles.dS + tile_size(queries);
    dO_columns = Q_columns + columns_size(E, queries);
    panels = dO_columns + columns_size(Ev, queries);
  }
  static Index workspace_size(Index E, Index Ev, Index queries) {
    return 2 * tile_size(queries) + columns_size(E, queries) + columns_size(Ev, queries) +
           queries / panel_rows<T> * gradient_panel_size<T>(E, Ev);
  }

 private:
  /// Keys are written in whole register blocks.
  static Index tile_size(Index queries) { return (backward_tile_keys + 16) * queries; }
  static Index columns_size(Index columns, Index rows) {
    return RightFactor<T>::packed_size(rows, columns);
  }
};

/// The backward pass by tiles [FA2 Alg.2], for a head and some of its keys: one tile of queries
/// after the other against tiles of keys, with P and dS of a pair of tiles in memory and nothing of
/// the size L·S.
///   dV += Pᵀ dO   dK += dSᵀ Q · scale   dQ += dS K · scale
/// Numerics: the product of a pair of tiles is summed from zero and then added, and so is dQ's sum
/// over a segment of keys, so that rounding errors do not grow with L and S, and results do not
/// depend, bitwise, on how the segments of keys are divided into tasks.
template <class Task, class Gradients>
class TiledBackward {
  using T = typename Task::Scalar;
  using Vector = simd::Vector<T>;
  using Keys = std::remove_cvref_t<decltype(std::declval<Task>().K)>;
  static constexpr Index lanes = Vector::size;
  static constexpr bool has_query = requires(const Gradients& gradients) { gradients.query; },
                        has_keys = requires(const Gradients& gradients) { gradients.key; };

 public:
  TiledBackward(const Task& task, const HeadResults<T>& results, const Gradients& gradients,
                Index tile_queries, T* workspace)
      : task_(task),
        results_(results),
        gradients_(gradients),
        tile_queries_(tile_queries),
        memory_(task.Q.cols(), task.V.columns(), tile_queries, workspace) {}

  /// All queries against the task's keys, in segments of so many.
  void run(const GradientRule<T>& rule, Index segment) {
    for (Index row = 0; row < task_.Q.rows(); row += tile_queries_) {
      const Range queries{row, std::min(row + tile_queries_, task_.Q.rows())};
      begin(queries);
      for (Index first = task_.keys.begin; first < task_.keys.end; first += segment) {
        const Range part{first, std::min(first + segment, task_.keys.end)};
        if constexpr (has_query) clear_queries(queries);
        for (Index j = part.begin; j < part.end; j += backward_tile_keys)
          add(rule, queries, {j, std::min(j + backward_tile_keys, part.end)});
        if constexpr (has_query) add_queries(queries);
      }
    }
  }

 private:
  template <class F>
  void for_each_panel(Range queries, F&& f) const {
    const Index E = task_.Q.cols(), Ev = task_.V.columns();
    T* memory = memory_.panels;
    for (Index row = queries.begin; row < queries.end;) {
      GradientPanel<T> panel{};
      panel.layout = Panel<T>::of(queries.end - row);
      const Index size = panel.layout.size();
      panel.queries = {row, std::min(row + size, queries.end)};
      panel.column = row - queries.begin;
      panel.Q = memory;
      panel.dO = panel.Q + padded_size(E) * size;
      panel.dQ = panel.dO + padded_size(Ev) * size;
      panel.log_sum_exp = panel.dQ + padded_size(E) * size;
      panel.D = panel.log_sum_exp + size;
      memory = panel.D + size;
      f(panel);
      row += size;
    }
  }

  /// Q and dO of a tile, as panels and as right factors, and D = Σ dO ∘ O.
  void begin(Range queries) {
    for_each_panel(queries, [&](const GradientPanel<T>& panel) {
      panel.layout.pack(part_of(task_.Q, panel.queries), task_.scale, panel.Q);
      panel.layout.pack(part_of(results_.dO, panel.queries), T(1), panel.dO);
      for (Index i = 0; i < panel.layout.size(); ++i) begin_query(panel, i);
    });
    const MatrixPart<const T> Q = part_of(task_.Q, queries), dO = part_of(results_.dO, queries);
    queries_are_finite_ = all_finite<T>(Q) && all_finite<T>(dO);
    pack_columns(Q, task_.scale, memory_.Q_columns);
    pack_columns(dO, T(1), memory_.dO_columns);
  }
  /// The log-sum-exp and D of lane i of a panel; 0 where a query attends to nothing.
  void begin_query(const GradientPanel<T>& panel, Index i) const {
    const Index row = panel.queries.begin + i;
    panel.log_sum_exp[i] = T(0);
    panel.D[i] = T(0);
    if (row >= panel.queries.end) return;
    const T log_sum_exp = results_.log_sum_exp(row);
    if (log_sum_exp == -std::numeric_limits<T>::infinity()) return;
    panel.log_sum_exp[i] = log2e<T> * log_sum_exp;
    const T *const dO = results_.dO.data() + row * results_.dO.outerStride(),
                   *const O = results_.O.data() + row * results_.O.outerStride();
    Vector sums = T(0);
    simd::for_each_packet<T>(results_.O.cols(), [&](Index e, Index n) {
      sums = fma(simd::load<Vector>(dO + e, n, T(0)), simd::load<Vector>(O + e, n, T(0)), sums);
    });
    panel.D[i] = sum(sums);
  }
  static void pack_columns(const MatrixPart<const T>& X, T factor, T* columns) {
    for (Index p = 0; p < RightFactor<T>::panels(X.columns); ++p)
      RightFactor<T>::pack(X, factor, p, columns);
  }
  void clear_queries(Range queries) const {
    for_each_panel(queries, [&](const GradientPanel<T>& panel) {
      std::fill_n(panel.dQ, padded_size(task_.Q.cols()) * panel.layout.size(), T(0));
    });
  }

  /// What a pair of tiles gives.
  void add(const GradientRule<T>& rule, Range queries, Range keys) {
    const Coverage coverage = rule.cover(task_.tile(queries, keys));
    if (coverage == Coverage::empty) return;
    RowTile<T, Keys> K(task_.K, keys);
    simd::Array<Range, backward_tile_keys> attending;
    for (Index j = 0; j < keys.size(); ++j) attending[j] = {tile_queries_, 0};
    for_each_panel(queries, [&](const GradientPanel<T>& panel) {
      GradientTile<Task> scores(task_, panel, keys, memory_.tiles);
      const bool all_queries = panel.queries.size() == queries.size();
      const bool ask = coverage == Coverage::partial && !all_queries;
      scores.compute(rule, ask ? rule.cover(task_.tile(panel.queries, keys)) : coverage);
      const AttendedKeys& attended = scores.attended;
      for (Index j = attended.begin; j < attended.end; ++j)
        attending[j] = {std::min(attending[j].begin, panel.column),
                        panel.queries.end - queries.begin};
      if (has_query && !attended.empty()) add_to_queries(panel, K, attended);
    });
    if constexpr (has_keys) add_to_keys(attending, queries, keys);
  }

  /// dQ += dS K
  void add_to_queries(const GradientPanel<T>& panel, RowTile<T, Keys>& K,
                      const AttendedKeys& keys) const {
    const auto K_tile = K.transposed(keys.begin);
    const Index stride = memory_.tiles.stride;
    const PanelRows<T> dS{memory_.tiles.dS + keys.begin * stride + panel.column, stride,
                          keys.size()};
    if (keys.masked && !K.finite()) return add_unmasked(K_tile, dS, panel);
    const auto finish = [dQ = panel.dQ](Index e, const auto& C) {
      C.for_each([&](int r, int w, const Vector& x) {
        T* const sum = dQ + ((e + r) * C.width + w) * lanes;
        simd::store(sum, simd::load<Vector>(sum) + x);
      });
    };
    multiply(panel.layout.width, K_tile, task_.Q.cols(), dS, finish);
  }
  /// The same, bitwise, where K is finite; elsewhere a key with dS = 0, which is masked, is left
  /// out.
  template <class Factor>
  void add_unmasked(const Factor& K, const PanelRows<T>& dS, const GradientPanel<T>& panel) const {
    const int width = panel.layout.width;
    for (Index e = 0; e < task_.Q.cols(); ++e)
      for (int w = 0; w < width; ++w) {
        Vector dS_K = T(0);
        for (Index j = 0; j < dS.count; ++j) {
          const Vector ds = simd::load<Vector>(dS.data + j * dS.stride + w * lanes);
          dS_K = select(ds == T(0), dS_K, fma(ds, K.load(K.at(e, j), 0), dS_K));
        }
        T* const sum = panel.dQ + (e * width + w) * lanes;
        simd::store(sum, simd::load<Vector>(sum) + dS_K);
      }
  }

  /// dV += Pᵀ dO   dK += dSᵀ Q. Key j of the tile is attended to by the columns `attending[j]`,
  /// from the first panel to the last that does; neighbors with the same columns are taken
  /// together.
  void add_to_keys(const simd::Array<Range, backward_tile_keys>& attending, Range queries,
                   Range keys) const {
    for (Index j = 0; j < keys.size();) {
      const Index first = j;
      const Range columns = attending[first];
      while (j < keys.size() && attending[j].begin == columns.begin &&
             attending[j].end == columns.end)
        ++j;
      if (columns.size() <= 0) continue;
      const auto add = [&](const T* tile, const T* packed, const TensorView<T, 2>& dX) {
        const Index rows = RightFactor<T>::padded_panel_size(queries.size());
        const RightFactor<T> B{packed + columns.begin * RightFactor<T>::width, columns.size(),
                               dX.shape()[1], rows};
        add_product(
            {first, j}, tile + first * tile_queries_ + columns.begin, B,
            dX.slice(0, keys.begin - task_.keys.begin + first, keys.begin - task_.keys.begin + j));
      };
      add(memory_.tiles.P, memory_.dO_columns, gradients_.value);
      add(memory_.tiles.dS, memory_.Q_columns, gradients_.key);
    }
  }
  /// dX += Aᵀ B, A being some columns of a tile from the first of some keys on. Where Q or dO are
  /// not finite, queries whose weight is 0 are left out, for they may hold anything.
  void add_product(Range keys, const T* A, const RightFactor<T>& B,
                   const TensorView<T, 2>& dX) const {
    if (queries_are_finite_) {
      const Index stride = dX.strides()[0];
      ProductRowsOf<T>{{A, tile_queries_, 1}, keys.size(), {dX.data(), stride}, {dX.data(), stride}}
          .add_panels(B, {0, B.panels()});
      return;
    }
    for (Index j = 0; j < keys.size(); ++j)
      for (Index e = 0; e < B.columns; ++e) {
        T sum = 0;
        for (Index i = 0; i < B.rows; ++i)
          if (const T weight = A[j * tile_queries_ + i]; weight != T(0)) sum += weight * B(i, e);
        dX(j, e) += sum;
      }
  }

  /// Adds dQ · scale of a segment of keys.
  void add_queries(Range queries) const {
    const typename Panel<T>::Factors scale{{task_.scale, task_.scale, task_.scale}};
    for_each_panel(queries, [&](const GradientPanel<T>& panel) {
      panel.layout.unpack_add(panel.dQ, scale, part_of(gradients_.query, panel.queries));
    });
  }

  const Task& task_;
  const HeadResults<T>& results_;
  const Gradients& gradients_;
  Index tile_queries_;
  TiledBackwardLayout<T> memory_;
  bool queries_are_finite_ = true;  // Q and dO of the tile
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
