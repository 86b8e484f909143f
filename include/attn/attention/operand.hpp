#pragma once

#include <attn/attention/stored_heads.hpp>
#include <attn/core/tensor.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class X>
concept EigenDense = std::is_base_of_v<Eigen::DenseBase<X>, X>;

/// What may stand where an equation has a matrix: `heads()` shows the operand as (B, H, L, E), and
/// `finish` turns a result into the operand's own kind. A tensor or view of 4, 3 or 2 axes is
/// (B, H, L, E), (H, L, E) or (L, E), and gives a tensor of as many; an Eigen matrix, map, block or
/// expression is one head, and gives an Eigen matrix. KeyHeads are keys or values only.
template <class X>
class Operand;

template <class T, int N>
class Operand<TensorView<T, N>> {
  static_assert(N >= 2 && N <= 4,
                "a query, key or value has 4, 3 or 2 axes: (B, H, L, E), (H, L, E) or (L, E)");

 public:
  using Scalar = std::remove_const_t<T>;
  using Heads = TensorView<const Scalar, 4>;

  explicit Operand(const TensorView<T, N>& x) : x_(x) {}

  TensorView<T, 4> heads() const { return detail::with_leading_axes<4>(x_); }
  /// From the result's 4 axes, or 3 where it has no last axis, to N or N − 1.
  template <int M>
  static auto finish(Tensor<Scalar, M>&& result) {
    if constexpr (N == 4) {
      return std::move(result);
    } else {
      Index shape[static_cast<std::size_t>(M + N - 4)];
      std::copy(result.shape().end() - (M + N - 4), result.shape().end(), shape);
      return std::move(result).reshape(shape);
    }
  }

 private:
  TensorView<T, N> x_;
};

template <class T, int N>
class Operand<Tensor<T, N>> : public Operand<TensorView<const T, N>> {
 public:
  explicit Operand(const Tensor<T, N>& x) : Operand<TensorView<const T, N>>(x.view()) {}
};

/// Reads row-major memory in place; anything else is evaluated into a row-major copy first.
template <EigenDense X>
class Operand<X> {
 public:
  using Scalar = typename X::Scalar;
  using Heads = TensorView<const Scalar, 4>;

  explicit Operand(const X& x) : x_(as_matrix(x)) {}

  TensorView<const Scalar, 4> heads() const {
    return {x_.data(), {1, 1, x_.rows(), x_.cols()}, {0, 0, x_.outerStride(), 1}};
  }

  static auto finish(Tensor<Scalar, 4>&& result)
      -> Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic,
                       X::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor> {
    return result.matrix(0, 0);
  }
  static auto finish(Tensor<Scalar, 3>&& result) -> Eigen::Matrix<Scalar, Eigen::Dynamic, 1> {
    return result.flat();
  }

 private:
  using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  static decltype(auto) as_matrix(const X& x) {
    if constexpr (std::is_base_of_v<Eigen::ArrayBase<X>, X>) return x.matrix();
    else return x.derived();
  }

  Eigen::Ref<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>> x_;
};

template <KeyHeads X>
class Operand<X> {
 public:
  using Scalar = typename X::Scalar;
  using Heads = X;

  explicit Operand(const X& x) : x_(x) {}
  const X& heads() const { return x_; }

 private:
  const X& x_;
};

/// Keys or values of a call that is computed in T: what Operand takes, and what is stored in fewer
/// bits, tensors and views of bfloat16 or float16, and quantized tensors.
template <class X, class T>
class KeyOperand : public Operand<X> {
 public:
  using Operand<X>::Operand;
};
template <class X, class T>
  requires detail::is_stored<X>
class KeyOperand<X, T> {
 public:
  using Scalar = T;
  using Heads = StoredHeads<T>;

  explicit KeyOperand(const X& x) : x_(x) {
    if constexpr (requires { x.scales; })
      static_assert(std::is_same_v<typename X::Scalar, T>,
                    "the scales of a quantized key or value must be of the query's kind of number");
  }
  StoredHeads<T> heads() const { return detail::stored_heads<T>(x_); }

 private:
  const X& x_;
};

template <class... X>
concept Operands = ((detail::is_stored<X> || requires { typename Operand<X>::Scalar; }) && ...);

namespace detail {

/// Calls `write` with a (B, H, L, Ev) view of what a caller gave as output: a tensor, a view of
/// one, or a writable Eigen object, into which other layouts than row-major are copied afterwards.
template <class X, class Write>
void write_to(X&& output, const Shape<4>& shape, Write&& write) {
  using Plain = std::remove_cvref_t<X>;
  const auto expect = [&](const Shape<4>& got) {
    if (got != shape)
      throw ShapeError("ScaledDotProductAttention: output " + to_string(got) +
                       " must have the shape (B, H, L, Ev) = " + to_string(shape));
  };
  if constexpr (EigenDense<Plain>) {
    using Scalar = typename Plain::Scalar;
    expect({1, 1, output.rows(), output.cols()});
    if constexpr (bool(Plain::IsRowMajor) && (int(Plain::Flags) & Eigen::DirectAccessBit) &&
                  Plain::InnerStrideAtCompileTime == 1) {
      write(TensorView<Scalar, 4>(output.data(), shape, {0, 0, output.outerStride(), 1}));
    } else {
      Tensor<Scalar, 4> result(shape);
      write(result.view());
      if constexpr (std::is_base_of_v<Eigen::ArrayBase<Plain>, Plain>)
        output = result.matrix(0, 0).array();
      else output = result.matrix(0, 0);
    }
  } else {
    const auto heads = Operand<decltype(view(output))>(view(output)).heads();
    expect(heads.shape());
    write(heads);
  }
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
