#pragma once

#include <attn/core/config.hpp>
#include <concepts>

namespace attn {
inline namespace ATTN_ABI {

/// The left factor A of a product, as the register block reads it: `at(r, k)` is a cursor to
/// element k of row r, `load(cursor, i)` is element k + i of that row as a T, and `run(k, n)` says
/// for how many of the n elements from k on a cursor is good, in every row: at least 1, and all of
/// them where the elements are evenly spaced. So a factor may lie in pages, and be stored as
/// another type than the one that is computed with.
template <class A, class T>
concept LeftFactorOf = requires(const A& a, Index i) {
  { a.load(a.at(i, i), i) } -> std::same_as<T>;
  { a.run(i, i) } -> std::same_as<Index>;
};

/// A left factor of evenly spaced elements: neighbors in a column are `row_stride` apart, neighbors
/// in a row `stride`. `Stored` is the type in memory.
template <class T, class Stored = T>
struct LeftFactor {
  const Stored* data;
  Index row_stride, stride;

  const Stored* at(Index row, Index k) const { return data + row * row_stride + k * stride; }
  T load(const Stored* cursor, Index i) const { return static_cast<T>(cursor[i * stride]); }
  static Index run(Index, Index n) { return n; }
};

}  // namespace ATTN_ABI
}  // namespace attn
