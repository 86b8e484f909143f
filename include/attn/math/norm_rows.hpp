#pragma once

#include <attn/math/rows.hpp>

namespace attn::inline ATTN_ABI {

/// What a norm's backward gives: dx in the place of dy, and the gradients of its weight and bias.
template <class T, int N>
struct NormGradients {
  Tensor<T, N> dx;
  Tensor<T, 1> dw, db;
};

/// Goes over the rows of dy and x: row(dy, x, dw, db) makes dx of dy in place and adds to dw and db, of which each block of rows has its
/// own; they are summed one after the other, so that the bits do not depend on threads.
template <class T, int N, class Row>
NormGradients<T, N> norm_backward(Tensor<T, N> dy, const Tensor<T, N>& x, Row&& row) {
  const Index D = x.shape().back(), rows = D > 0 ? x.size() / D : 0;
  constexpr Index part = 32;
  const Index blocks = (rows + part - 1) / part;
  Tensor<T, 2> dw({blocks, D}), db({blocks, D});
  parallel_for(blocks, [&](Index block) {
    for (Index r = block * part; r < std::min(rows, (block + 1) * part); ++r) row(dy.data() + r * D, x.data() + r * D, &dw(block, 0), &db(block, 0));
  });
  NormGradients<T, N> result{std::move(dy), Tensor<T, 1>({D}), Tensor<T, 1>({D})};
  for (Index block = 0; block < blocks; ++block) result.dw.flat() += dw[block].flat(), result.db.flat() += db[block].flat();
  return result;
}

/// to_i += x_i, a vector of a row.
template <class T>
void add_to(T* to, Index n, const simd::Vector<T>& x) {
  simd::store(to, n, simd::load<simd::Vector<T>>(to, n, T(0)) + x);
}

}  // namespace attn::inline ATTN_ABI
