#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/gemm/product.hpp>
#include <attn/math/broadcast.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The leading axes of a shape: all but those of the matrix.
template <std::size_t N>
std::span<const Index> batch_axes(const std::array<Index, N>& shape) {
  return std::span(shape).first(N - 2);
}

/// C_b = A_b B_b for every matrix of a batch, where the operand of lower rank is broadcast over the
/// leading axes of the other.
template <class T, int N, int M>
auto batched_product(const Tensor<T, N>& a, const Tensor<T, M>& b) {
  constexpr int R = N > M ? N : M;
  constexpr std::size_t last = static_cast<std::size_t>(R) - 1;
  Shape<R> shape{};
  if constexpr (N >= M) shape = a.shape();
  else shape = b.shape();
  const Index rows = a.shape()[N - 2];
  const Index depth = a.shape()[N - 1];
  const Index columns = b.shape()[M - 1];
  shape[last - 1] = rows;
  shape[last] = columns;
  auto c = Tensor<T, R>::for_overwrite(shape);
  const Index batch = checked_size(batch_axes(shape));
  const Index a_batch = checked_size(batch_axes(a.shape()));
  const Index b_batch = checked_size(batch_axes(b.shape()));
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  parallel_for(batch, [&](Index i) {
    const Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>> B(
        b.data() + i % b_batch * depth * columns, depth, columns, Eigen::OuterStride<>(columns));
    parallel_multiply<T>(LeftFactor<T>{a.data() + i % a_batch * rows * depth, depth, 1}, rows,
                         PackedMatrix<T>::parallel(B), {},
                         {c.data() + i * rows * columns, columns});
  });
  return c;
}

/// The matrices of a batch, each transposed.
template <class T, int N>
Tensor<T, N> transpose_matrices(const Tensor<T, N>& x) {
  std::array<int, static_cast<std::size_t>(N)> order{};
  for (int a = 0; a < N; ++a) order[static_cast<std::size_t>(a)] = a;
  std::swap(order[N - 2], order[N - 1]);
  return x.permute(order);
}

}  // namespace detail

/// Y = A B for matrices, or for each matrix of a batch.   dA = dY Bᵀ, dB = Aᵀ dY
struct Matmul {
  template <class T, int N, int M>
    requires(N >= 2 && M >= 2)
  auto forward(const Tensor<T, N>& a, const Tensor<T, M>& b) const {
    check<N, M>(a.shape(), b.shape());
    return detail::batched_product(a, b);
  }
  template <class T, int R, int N, int M>
  void backward(const Tensor<T, R>& dy, const Input<T, N>& a, const Input<T, M>& b) const {
    if (a.needs_gradient())
      a.add(detail::sum_leading<N>(
          detail::batched_product(dy, detail::transpose_matrices(b.value())), a.shape()));
    if (b.needs_gradient())
      b.add(detail::sum_leading<M>(
          detail::batched_product(detail::transpose_matrices(a.value()), dy), b.shape()));
  }

 private:
  template <int N, int M>
  static void check(const Shape<N>& a, const Shape<M>& b) {
    constexpr std::size_t common = static_cast<std::size_t>(std::min(N, M) - 2);
    const auto a_batch = detail::batch_axes(a);
    const auto b_batch = detail::batch_axes(b);
    const bool fit = std::equal(a_batch.end() - common, a_batch.end(), b_batch.end() - common);
    if (a[N - 1] != b[M - 2] || !fit)
      throw ShapeError("matmul: operands " + to_string(a) + " and " + to_string(b) +
                       " must be (…, m, k) and (…, k, n) with the same leading axes");
  }
};

/// A B, as PyTorch's `matmul`: (…, m, k) and (…, k, n) give (…, m, n). The leading axes must be
/// equal; an operand with fewer axes is broadcast over the leading axes of the other.
/// Errors: ShapeError.
template <TensorOrVariable A, TensorOrVariable B>
auto matmul(const A& a, const B& b) {
  return apply(Matmul{}, a, b);
}

}  // namespace ATTN_ABI
}  // namespace attn
