#pragma once

#include <attn/attention/gradient_tile.hpp>
#include <attn/attention/tile_rows.hpp>
#include <attn/gemm/product.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The way back by tiles [FA2 Alg.2], for a head and some of its keys: a tile of queries after the
/// other against tiles of keys, with P and dS of a pair of tiles in memory and nothing of the size
/// L·S.
///   dV += Pᵀ dO   dK += dSᵀ Q · scale   dQ += dS K · scale
/// Numerics: the product of a pair of tiles is summed from zero and then added, and dQ's sum over
/// `segment` keys as well, so that rounding errors do not grow with L and S, and the bits do not
/// depend on how the segments of keys are shared out.
template <class T>
class TiledBackward {
  using V = simd::Vector<T>;

 public:
  static constexpr Index tile_keys = 96;  ///< Bc

  /// `tile_queries` is Br, whole panels.
  static Index room(Index E, Index Ev, Index tile_queries) {
    return tile_queries / panel_rows<T> * gradient_panel_room<T>(E, Ev) +
           2 * tile_room(E, tile_queries) + columns_room(E, tile_queries) +
           columns_room(Ev, tile_queries);
  }

  TiledBackward(const HeadInput<T>& in, const HeadGradient<T>& to, Index tile_queries, T* memory)
      : in_(in), to_(to), step_(tile_queries) {
    const Index tile = tile_room(in.Q.cols(), step_);
    P_ = memory, dS_ = P_ + tile, Q_columns_ = dS_ + tile;
    dO_columns_ = Q_columns_ + columns_room(in.Q.cols(), step_);
    panel_memory_ = dO_columns_ + columns_room(in.V.cols(), step_);
  }

  /// All queries against `keys`, in segments of so many.
  template <class R>
  void run(const R& rule, Range keys, Index segment) {
    for (Index row = 0; row < in_.Q.rows(); row += step_) {
      const Range queries{row, std::min(row + step_, in_.Q.rows())};
      begin(queries);
      for (Index first = keys.begin; first < keys.end; first += segment) {
        const Range part{first, std::min(first + segment, keys.end)};
        for_each_panel(queries, [&]<int W>(Panel<T, W>, const GradientPanel<T>& panel) {
          std::fill_n(panel.dQ, room(in_.Q.cols()) * Panel<T, W>::size, T(0));
        });
        for (Index j = part.begin; j < part.end; j += tile_keys)
          add(rule, queries, {j, std::min(j + tile_keys, part.end)});
        finish(queries, first == keys.begin);
      }
    }
  }

 private:
  static Index room(Index columns) { return Panel<T, 3>::room(columns); }
  /// Of P or dS, whose rows are written in whole blocks; or of a panel of dQ.
  static Index tile_room(Index E, Index tile_queries) {
    return std::max((tile_keys + 16) * tile_queries, E * panel_rows<T>);
  }
  static Index columns_room(Index columns, Index rows) {
    return RightFactor<T>::panels(columns) * RightFactor<T>::room(rows);
  }

  template <class F>
  void for_each_panel(Range queries, F&& f) const {
    const Index E = in_.Q.cols(), Ev = in_.V.cols();
    T* memory = panel_memory_;
    for (Index row = queries.begin; row < queries.end;)
      row += with_panel<T>(queries.end - row, [&]<int W>(Panel<T, W> kind) {
        constexpr Index size = Panel<T, W>::size;
        GradientPanel<T> panel{{row, std::min(row + size, queries.end)},
                               row - queries.begin,
                               memory,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr};
        panel.dO = panel.Q + room(E) * size, panel.dQ = panel.dO + room(Ev) * size;
        panel.log_sum_exp = panel.dQ + room(E) * size, panel.D = panel.log_sum_exp + size;
        memory = panel.D + size;
        f(kind, panel);
        return size;
      });
  }

  /// Q and dO of a tile, as panels and by columns, and D = Σ dO ∘ O.
  void begin(Range queries) {
    for_each_panel(queries, [&]<int W>(Panel<T, W>, const GradientPanel<T>& panel) {
      const Range rows = panel.queries;
      Panel<T, W>::pack(in_.Q.middleRows(rows.begin, rows.size()), in_.scale, panel.Q);
      Panel<T, W>::pack(to_.dO.middleRows(rows.begin, rows.size()), T(1), panel.dO);
      for (Index i = 0; i < Panel<T, W>::size; ++i) {
        const Index row = rows.begin + i;
        const bool attends =
            row < rows.end && to_.log_sum_exp[row] != -std::numeric_limits<T>::infinity();
        panel.log_sum_exp[i] = attends ? log2e<T> * to_.log_sum_exp[row] : T(0);
        V sums = T(0);
        if (attends)
          simd::for_each_packet<T>(in_.V.cols(), [&](Index e, Index n) {
            sums = fma(simd::load<V>(to_.dO.data() + row * to_.dO.outerStride() + e, n, T(0)),
                       simd::load<V>(to_.O.data() + row * to_.O.outerStride() + e, n, T(0)), sums);
          });
        panel.D[i] = sum(sums);
      }
    });
    queries_are_finite_ =
        TileRows<T>(in_.Q, queries).finite() && TileRows<T>(to_.dO, queries).finite();
    pack_columns(in_.Q.middleRows(queries.begin, queries.size()), in_.scale, Q_columns_);
    pack_columns(to_.dO.middleRows(queries.begin, queries.size()), T(1), dO_columns_);
  }
  template <class Matrix>
  static void pack_columns(const Matrix& X, T factor, T* columns) {
    for (Index p = 0; p < RightFactor<T>::panels(X.cols()); ++p)
      RightFactor<T>::pack(X, factor, p, columns);
  }

  /// A pair of tiles.
  template <class R>
  void add(const R& rule, Range queries, Range keys) {
    if (rule.cover({in_.batch, in_.head, queries.begin, queries.end, keys.begin, keys.end}) ==
        Cover::none)
      return;
    TileRows<T> K(in_.K, keys);
    simd::Array<Range, tile_keys>
        attending;  // to each key: columns of the tile from the first panel to the last that does
    for (Index j = 0; j < keys.size(); ++j) attending[j] = {step_, 0};
    for_each_panel(queries, [&]<int W>(Panel<T, W>, const GradientPanel<T>& panel) {
      const GradientTile<T, W> seen(in_, rule, panel, keys, P_, dS_, step_);
      for (Index j = seen.begin; j < seen.end; ++j)
        attending[j] = {std::min(attending[j].begin, panel.column),
                        panel.queries.end - queries.begin};
      if (seen.begin < seen.end) add_to_queries(panel, K, seen);
    });
    for (Index j = 0; j < keys.size();) {
      const Index first = j;
      const Range columns = attending[first];
      while (j < keys.size() && attending[j].begin == columns.begin &&
             attending[j].end == columns.end)
        ++j;
      if (columns.begin < columns.end) add_to_keys({first, j}, keys.begin, columns, queries.size());
    }
  }

  /// dQ += dS K
  template <int W>
  void add_to_queries(const GradientPanel<T>& panel, TileRows<T>& K,
                      const GradientTile<T, W>& seen) const {
    const LeftFactor<T> K_tile = K.transposed(seen.begin);
    const T* const dS = dS_ + seen.begin * step_ + panel.column;
    T* const dQ = panel.dQ;
    if (seen.masked && !K.finite()) return add_unmasked<W>(K_tile, dS, seen.end - seen.begin, dQ);
    multiply<W>(K_tile, in_.Q.cols(), dS, step_, seen.end - seen.begin,
                [dQ](Index e, const RegisterBlock<T, W>& C) {
#pragma GCC unroll 16
                  for (int r = 0; r < block_rows<W>; ++r)
#pragma GCC unroll 16
                    for (int w = 0; w < W; ++w) {
                      T* const to = dQ + ((e + r) * W + w) * V::size;
                      simd::store(to, simd::load<V>(to) + C[r][w]);
                    }
                });
  }
  /// The same bits where K is finite; elsewhere a key with dS = 0, which is masked, is left out.
  template <int W>
  void add_unmasked(const LeftFactor<T>& K, const T* dS, Index n, T* dQ) const {
    for (Index e = 0; e < in_.Q.cols(); ++e)
      for (int w = 0; w < W; ++w) {
        V dS_K = T(0);
        for (Index j = 0; j < n; ++j) {
          const V ds = simd::load<V>(dS + j * step_ + w * V::size);
          dS_K = select(ds == T(0), dS_K, fma(ds, K.data[j * K.step + e], dS_K));
        }
        T* const to = dQ + (e * W + w) * V::size;
        simd::store(to, simd::load<V>(to) + dS_K);
      }
  }
  /// dV += Pᵀ dO   dK += dSᵀ Q, for rows of a tile and the columns that attend to them.
  void add_to_keys(Range rows, Index first_key, Range columns, Index tile_rows) const {
    const auto add = [&](const T* tile, const T* packed, auto& dX) {
      const RightFactor<T> B{packed + columns.begin * RightFactor<T>::width, columns.size(),
                             dX.cols(), RightFactor<T>::room(tile_rows)};
      if (!queries_are_finite_) return add_attended(tile, B, rows, first_key, columns, dX);
      T* const to = dX.data() + (first_key + rows.begin) * dX.outerStride();
      multiply<T>({tile + rows.begin * step_ + columns.begin, step_, 1}, rows.size(), B, 0,
                  B.panels(), {to, dX.outerStride()}, to, dX.outerStride());
    };
    add(P_, dO_columns_, to_.dV);
    add(dS_, Q_columns_, to_.dK);
  }

  /// The same, without the queries whose weight is 0, which may hold anything.
  template <class Matrix>
  void add_attended(const T* tile, const RightFactor<T>& B, Range rows, Index first_key,
                    Range columns, Matrix& dX) const {
    for (Index j = rows.begin; j < rows.end; ++j)
      for (Index e = 0; e < dX.cols(); ++e) {
        T sum = 0;
        for (Index i = 0; i < columns.size(); ++i)
          if (const T weight = tile[j * step_ + columns.begin + i]; weight != T(0))
            sum += weight * B(i, e);
        dX(first_key + j, e) += sum;
      }
  }

  /// dQ · scale to where it belongs.
  void finish(Range queries, bool first) const {
    for_each_panel(queries, [&]<int W>(Panel<T, W>, const GradientPanel<T>& panel) {
      simd::Array<V, W> scale;
      for (int w = 0; w < W; ++w) scale[w] = in_.scale;
      const Index rows = panel.queries.size(), E = in_.Q.cols();
      if (first)
        return Panel<T, W>::unpack(panel.dQ, scale, to_.dQ.middleRows(panel.queries.begin, rows));
      using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
      Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>> more(P_, rows, E,
                                                                        Eigen::OuterStride<>(E));
      Panel<T, W>::unpack(panel.dQ, scale, more);
      to_.dQ.middleRows(panel.queries.begin, rows) += more;
    });
  }

  const HeadInput<T>& in_;
  const HeadGradient<T>& to_;
  Index step_;
  bool queries_are_finite_ = true;  // Q and dO of the tile
  T *P_, *dS_, *Q_columns_, *dO_columns_, *panel_memory_;
};

}  // namespace ATTN_ABI
}  // namespace attn
