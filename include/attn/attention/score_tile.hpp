#pragma once

#include <attn/attention/for_each_cover.hpp>
#include <attn/attention/heads.hpp>
#include <attn/gemm/panel.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// S = rule(scale · Q Kᵀ), the scores of a panel of queries against a tile of keys: in memory,
/// those of one key after the other, W vectors each, with a query in each lane.
/// Keys that the rule excludes for the whole panel are not computed: of the tile, `begin` … `end` −
/// 1 count.
template <class T, int W>
class ScoreTile {
  using V = simd::Vector<T>;
  static constexpr Index size = Panel<T, W>::size;
  static constexpr T none = -std::numeric_limits<T>::infinity();

 public:
  T* const S;
  Index begin = 0, end = 0;  ///< counted from the tile's first key
  bool masked = false;       ///< whether a score may be −∞
  simd::Array<T, size>
      maximum;  ///< of each query; a NaN may be passed over: its weight is NaN as well

  /// `queries` are rows of in.Q, and `Q` is their panel, multiplied by the scale; `keys` are rows
  /// of in.K.
  template <class R>
  ScoreTile(const HeadInput<T>& in, const R& rule, Range queries, const T* Q, Range keys, T* memory)
      : S(memory), in_(in), queries_(queries), Q_(Q), first_(keys.begin) {
    std::fill_n(maximum.data, size, none);
    for_each_cover<block_rows<W>>(
        rule,
        {in.batch, in.head, in.row + queries.begin, in.row + queries.end, keys.begin, keys.end},
        [&](Cover cover, Index from, Index to) { add(rule, cover, from - first_, to - first_); });
  }

 private:
  template <class R>
  void add(const R& rule, Cover cover, Index from, Index to) {
    if (cover == Cover::none) {
      if (end == 0) begin = to;
      else std::fill(S + from * size, S + to * size, none), masked = true;
      return;
    }
    end = to;
    if (cover == Cover::all && !R::changes_scores) {
      multiply_keys(from, to, maximum);
    } else {
      masked = true;
      simd::Array<T, size> before_rule{};
      multiply_keys(from, to, before_rule);
      apply(rule, from, to, cover);
    }
  }

  /// S = K Qᵀ, and the largest score of each query.
  void multiply_keys(Index from, Index to, simd::Array<T, size>& largest_so_far) const {
    const Index step = in_.K.outerStride();
    multiply<W>(
        LeftFactor<T>{in_.K.data() + (first_ + from) * step, step, 1}, to - from, Q_, size,
        in_.Q.cols(),
        [S = S + from * size, most = largest_so_far.data](Index j, const RegisterBlock<T, W>& C) {
#pragma GCC unroll 16
          for (int w = 0; w < W; ++w) {
            V m = simd::load<V>(most + w * V::size);
#pragma GCC unroll 16
            for (int r = 0; r < block_rows<W>; ++r)
              simd::store(S + (j + r) * size + w * V::size, C[r][w]), m = max(m, C[r][w]);
            simd::store(most + w * V::size, m);
          }
        });
  }

  /// Score changes act on the scaled scores, masks come last; what is masked in all lanes need not
  /// be changed.
  template <class R>
  void apply(const R& rule, Index from, Index to, [[maybe_unused]] Cover cover) {
    for (Index lane = 0; lane < size; lane += V::size) {
      const Index row = queries_.begin + lane,
                  count = std::clamp<Index>(queries_.end - row, 0, V::size);
      V m = simd::load<V>(maximum.data + lane);
      for (Index j = from; j < to; ++j) {
        const Positions<T> at{in_.batch, in_.head, {in_.row + row}, first_ + j};
        V s = simd::load<V>(S + j * size + lane);
        if (!R::masks || cover == Cover::all) {
          s = rule.score(s, at, count);
        } else {
          const auto allowed = rule.allows(at, count);
          s = !R::changes_scores || any(allowed) ? select(allowed, rule.score(s, at, count), none)
                                                 : V(none);
        }
        simd::store(S + j * size + lane, s);
        m = max(m, s);
      }
      simd::store(maximum.data + lane, m);
    }
  }

  const HeadInput<T>& in_;
  Range queries_;
  const T* Q_;
  Index first_;
};

}  // namespace ATTN_ABI
}  // namespace attn
