#pragma once

#include <attn/core/executor.hpp>
#include <attn/core/simd.hpp>
#include <attn/core/tensor.hpp>
#include <optional>

namespace attn::inline ATTN_ABI {

/// f(row) for each row of a tensor, its last axis, in parallel where there are many.
template <class T, int N, class F>
void for_each_row(Tensor<T, N>& x, F&& f) {
  const Index width = x.shape().back();
  if (x.size() == 0) return;
  const Index rows = x.size() / width, part = std::max<Index>(1, 16384 / width);
  parallel_for((rows + part - 1) / part, [&](Index p) {
    for (Index r = p * part; r < std::min(rows, (p + 1) * part); ++r) f(x.data() + r * width);
  });
}

/// Σ term(i, n) over a row of `count` numbers, a vector at once; in an order that depends on the length alone. Of the last, short
/// vector the lanes after the n-th must be 0.
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
    throw ShapeError(std::string(function) + ": input " + to_string(x.shape()) + " must have normalized_shape = " + std::to_string(weight.size()) +
                     " on its last axis");
  return weight.size();
}

}  // namespace attn::inline ATTN_ABI
