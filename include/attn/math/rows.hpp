#pragma once

#include <attn/core/tensor.hpp>
#include <attn/parallel/executor.hpp>
#include <attn/simd/simd.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// f(r) for each of so many rows of a width, in parallel where there are many.
template <class F>
void for_each_row(Index rows, Index width, F&& f) {
  const Index part = std::max<Index>(1, 16384 / std::max<Index>(1, width));
  parallel_for((rows + part - 1) / part, [&](Index p) {
    for (Index r = p * part; r < std::min(rows, (p + 1) * part); ++r) f(r);
  });
}
/// f(row) for each row of a tensor, its last axis.
template <class T, int N, class F>
void for_each_row(Tensor<T, N>& x, F&& f) {
  const Index width = x.shape().back();
  if (x.size() > 0)
    for_each_row(x.size() / width, width, [&](Index r) { f(x.data() + r * width); });
}

/// What `add(r, sums)` adds to `width` sums for each of so many rows: of 32 rows at a time, in
/// parallel, and then of these one after the other, so that the bits do not depend on threads.
template <class T, class F>
Tensor<T, 1> sum_over_rows(Index rows, Index width, F&& add) {
  constexpr Index part = 32;
  Tensor<T, 2> sums({(rows + part - 1) / part, width});
  parallel_for(sums.shape()[0], [&](Index p) {
    for (Index r = p * part; r < std::min(rows, (p + 1) * part); ++r)
      add(r, sums.data() + p * width);
  });
  Tensor<T, 1> total({width});
  for (Index p = 0; p < sums.shape()[0]; ++p) total.flat() += sums[p].flat();
  return total;
}
/// to_i += x_i, a vector of a row.
template <class T>
void add_to(T* to, Index n, const simd::Vector<T>& x) {
  simd::store(to, n, simd::load<simd::Vector<T>>(to, n, T(0)) + x);
}

/// Σ term(i, n) over a row of `count` numbers, a vector at once; in an order that depends on the
/// length alone. Of the last, short vector the lanes after the n-th must be 0.
template <class T, class F>
T row_sum(Index count, F&& term) {
  simd::Vector<T> sums = T(0);
  simd::for_each_packet<T>(count, [&](Index i, Index n) { sums += term(i, n); });
  return sum(sums);
}

/// The width of x's rows, which must be that of a weight with a number for each column.
template <class T, int N>
Index row_width(const Tensor<T, N>& x, const Tensor<T, 1>& weight, const char* function) {
  if (x.shape().back() != weight.size())
    throw ShapeError(std::string(function) + ": input " + to_string(x.shape()) +
                     " must have normalized_shape = " + std::to_string(weight.size()) +
                     " on its last axis");
  return weight.size();
}

}  // namespace ATTN_ABI
}  // namespace attn
