#pragma once

#include <attn/autograd/tape.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The same numbers in the same order under other extents. Errors: ShapeError unless there are as
/// many.
template <class T, int N, std::size_t M>
auto reshape(const Variable<T, N>& x, const Index (&shape)[M]) {
  constexpr int rank = static_cast<int>(M);
  return x.tape().record(
      Tensor<T, N>(x.value()).reshape(shape),
      [before = x.shape(), dx = x.gradient()](Tensor<T, rank> dy) {
        Tensor<T, N> back = Tensor<T, N>::for_overwrite(before);
        back.flat() = dy.flat();
        dx->add(std::move(back));
      },
      x);
}

/// Rows `begin` … `end` − 1 of the first axis. Errors: ShapeError unless x has them.
template <class T, int N>
Variable<T, N> rows(const Variable<T, N>& x, Index begin, Index end) {
  return x.tape().record(
      x.value().slice(0, begin, end).copy(),
      [begin, end, dx = x.gradient()](Tensor<T, N> dy) {
        dx->sum().slice(0, begin, end).flat() += dy.flat();
      },
      x);
}

/// Σ x, a single number.
template <class T, int N>
Variable<T, 1> sum(const Variable<T, N>& x) {
  Tensor<T, 1> total({1});
  double all = 0;
  for (Index i = 0; i < x.value().size(); ++i) all += static_cast<double>(x.value().data()[i]);
  total(0) = static_cast<T>(all);
  return x.tape().record(
      std::move(total),
      [shape = x.shape(), dx = x.gradient()](Tensor<T, 1> dy) {
        auto spread = Tensor<T, N>::for_overwrite(shape);
        spread.flat().setConstant(dy(0));
        dx->add(std::move(spread));
      },
      x);
}

}  // namespace ATTN_ABI
}  // namespace attn
