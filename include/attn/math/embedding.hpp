#pragma once

#include <attn/core/tensor.hpp>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Row ids(…) of a table (V, D), times a factor: ids (…) give (…, D).
/// Errors: OptionError for an id outside the vocabulary.
template <class T, int N>
Tensor<T, N + 1> embed(const Tensor<Index, N>& ids, const Tensor<T, 2>& table, double factor) {
  const auto [vocabulary, width] = table.shape();
  Shape<N + 1> shape;
  std::copy(ids.shape().begin(), ids.shape().end(), shape.begin());
  shape.back() = width;
  for (Index i = 0; i < ids.size(); ++i)
    if (const Index id = ids.data()[i]; id < 0 || id >= vocabulary)
      throw OptionError("Embedding: token id " + std::to_string(id) +
                        " must be at least 0 and below the vocabulary's size, " +
                        std::to_string(vocabulary));
  auto rows = Tensor<T, N + 1>::for_overwrite(shape);
  const auto from = table.matrix();
  auto to = rows.as_rows();
  for (Index i = 0; i < ids.size(); ++i)
    to.row(i) = from.row(ids.data()[i]) * static_cast<T>(factor);
  return rows;
}

/// d_table(id) += factor · Σ dy_i over every i with ids_i = id, in the order of i; in parallel by
/// columns.
template <class T, int N>
void embed_backward(const Tensor<T, N + 1>& dy, const Tensor<Index, N>& ids, double factor,
                    Tensor<T, 2>& d_table) {
  const Index width = d_table.shape()[1];
  constexpr Index part = 64;
  const auto from = dy.as_rows();
  auto to = d_table.matrix();
  parallel_for((width + part - 1) / part, [&](Index p) {
    const Index begin = p * part, n = std::min(part, width - begin);
    for (Index i = 0; i < ids.size(); ++i)
      to.row(ids.data()[i]).segment(begin, n) +=
          from.row(i).segment(begin, n) * static_cast<T>(factor);
  });
}

}  // namespace ATTN_ABI
}  // namespace attn
