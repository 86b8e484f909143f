#ifndef ATTN_TARGET
#ifndef ATTN_MATH_ROWS_HPP
#define ATTN_MATH_ROWS_HPP

#include <attn/core/tensor.hpp>
#include <attn/parallel/chunks.hpp>
#include <attn/simd/simd.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A row of D elements.
template <class T>
struct Row {
  T* data;
  Index size;
};
/// What the backward pass of a norm writes for a row: dx in place of dy; dw and db are added to.
template <class T>
struct NormGradients {
  T *dy, *dw, *db;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/math/rows.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// f(r) for each row r of a matrix, in parallel by chunks of about `chunk_size` elements.
template <class F>
void for_each_row(Index rows, Index width, F&& f) {
  const Index chunk = std::max<Index>(1, chunk_size / std::max<Index>(1, width));
  parallel_for((rows + chunk - 1) / chunk, [&](Index c) {
    for (Index r = c * chunk; r < std::min(rows, (c + 1) * chunk); ++r) f(r);
  });
}
/// f(row) for each row of a tensor, its last axis.
template <class T, int N, class F>
void for_each_row(Tensor<T, N>& x, F&& f) {
  const Index width = x.shape().back();
  if (x.size() == 0) return;
  for_each_row(x.size() / width, width, [&](Index r) { f(x.data() + r * width); });
}

/// The sums of what `add(r, sums)` adds to `width` sums for each row r. 32 rows at a time are
/// summed in parallel, and then these sums one after the other: the result is bitwise identical for
/// any number of threads.
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
/// The width of the rows of x, which must be that of a weight with an element for each column.
template <class T, int N>
Index row_width(const Tensor<T, N>& x, const Tensor<T, 1>& weight, const char* function) {
  if (x.shape().back() != weight.size())
    throw ShapeError(std::string(function) + ": input " + to_string(x.shape()) +
                     " must have normalized_shape = " + std::to_string(weight.size()) +
                     " on its last axis");
  return weight.size();
}

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// to_i += x_i for the first n lanes.
template <class T>
void add_to(T* to, Index n, const simd::Vector<T>& x) {
  simd::store(to, n, simd::load<simd::Vector<T> >(to, n, T(0)) + x);
}

/// Σ term(i, n) over a row of `count` elements, a vector at a time, in an order that depends on the
/// length alone. In the last vector, the lanes from n on must be 0.
template <class T, class F>
T row_sum(Index count, F&& term) {
  simd::Vector<T> sums = T(0);
  simd::for_each_packet<T>(count, [&](Index i, Index n) { sums += term(i, n); });
  return sum(sums);
}

/// to_i += x_i for the elements of a row.
template <class T>
void add_row(T* to, const T* x, Index count) {
  simd::for_each_packet<T>(count, [&](Index i, Index n) {
    add_to<T>(to + i, n, simd::load<simd::Vector<T> >(x + i, n, T(0)));
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
