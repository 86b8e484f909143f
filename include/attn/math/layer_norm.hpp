#ifndef ATTN_TARGET
#ifndef ATTN_MATH_LAYER_NORM_HPP
#define ATTN_MATH_LAYER_NORM_HPP

#include <attn/autograd/apply.hpp>
#include <attn/math/rows.hpp>
#include <cmath>

#define ATTN_KERNELS <attn/math/layer_norm.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y = x̂ ∘ w + b, x̂ = (x − E[x]) / √(Var[x] + ε), for every row x, the last axis   [Ba16 Eq.4]
/// w and b have an element for each column; without b nothing is added.
/// With g = dy ∘ w:  dx = (g − E[g] − x̂ E[g ∘ x̂]) / √(Var[x] + ε)   dw = Σ dy ∘ x̂   db = Σ dy
/// Errors: ShapeError if the rows are not as wide as w.
struct LayerNormalization {
  double eps;

  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x, const Tensor<T, 1>& w,
                       const std::type_identity_t<std::optional<TensorView<const T, 1>>>& b) const {
    const Index D = detail::row_width(x, w, "LayerNorm");
    const T* const shift = b ? b->data() : nullptr;
    detail::for_each_row(x, [&](T* row) {
      ATTN_DISPATCH(layer_norm_row<T>({row, D}, w.data(), shift, eps));
    });
    return x;
  }

  template <class T, int N, class B>
  void backward(Tensor<T, N> dy, const Input<T, N>& x, const Input<T, 1>& w, const B& b) const {
    const Index D = w.shape()[0];
    const Tensor<T, 1> sums =
        detail::sum_over_rows<T>(D > 0 ? dy.size() / D : 0, 2 * D, [&](Index r, T* dw_db) {
          const detail::NormGradients<T> to{dy.data() + r * D, dw_db, dw_db + D};
          ATTN_DISPATCH(
              layer_norm_backward_row<T>({x.value().data() + r * D, D}, w.value().data(), eps, to));
        });
    x.add(std::move(dy));
    w.add(sums.slice(0, 0, D).copy());
    if (b) b->add(sums.slice(0, D, 2 * D).copy());
  }
};

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// E[x] and 1 / √(Var[x] + ε) of a row. Var is Σ(x − E[x])² / D, as in PyTorch.
/// Numerics: the mean is subtracted before squaring, so that a large mean costs no digits.
template <class T>
struct RowMoments {
  using Vector = simd::Vector<T>;
  Vector mean, rstd;

  RowMoments(const T* row, Index D, double eps)
      : mean(row_sum<T>(D, [&](Index i, Index n) { return simd::load<Vector>(row + i, n, T(0)); }) /
             static_cast<T>(D)) {
    const T squares = row_sum<T>(D, [&](Index i, Index n) {
      const Vector d = simd::load<Vector>(row + i, n, mean.first()) - mean;
      return d * d;
    });
    const double variance = static_cast<double>(squares) / static_cast<double>(D);
    rstd = static_cast<T>(1 / std::sqrt(variance + eps));
  }
  /// x̂ of elements i … i + n − 1; 0 in the lanes from n on.
  Vector normalized(const T* row, Index i, Index n) const {
    return (simd::load<Vector>(row + i, n, mean.first()) - mean) * rstd;
  }
};

/// A row of LayerNorm, in place. Without b nothing is added.
template <class T>
void layer_norm_row(const Row<T>& row, const T* w, const T* b, double eps) {
  using Vector = simd::Vector<T>;
  T* const x = row.data;
  const RowMoments<T> moments(x, row.size, eps);
  simd::for_each_packet<T>(row.size, [&](Index i, Index n) {
    const Vector shift = b ? simd::load<Vector>(b + i, n, T(0)) : Vector(T(0));
    const Vector scale = simd::load<Vector>(w + i, n, T(0));
    const Vector centered = simd::load<Vector>(x + i, n, T(0)) - moments.mean;
    simd::store(x + i, n, fma(centered * moments.rstd, scale, shift));
  });
}

template <class T>
void layer_norm_backward_row(const Row<const T>& row, const T* w, double eps,
                             const NormGradients<T>& to) {
  using Vector = simd::Vector<T>;
  const Index D = row.size;
  const RowMoments<T> moments(row.data, D, eps);
  Vector g_sum = T(0);
  Vector g_x_sum = T(0);
  simd::for_each_packet<T>(D, [&](Index i, Index n) {
    const Vector x_hat = moments.normalized(row.data, i, n);
    const Vector d = simd::load<Vector>(to.dy + i, n, T(0));
    const Vector g = d * simd::load<Vector>(w + i, n, T(0));
    g_sum += g;
    g_x_sum += g * x_hat;
    add_to<T>(to.dw + i, n, d * x_hat);
    add_to<T>(to.db + i, n, d);
  });
  const Vector g_mean = sum(g_sum) / static_cast<T>(D);
  const Vector g_x_mean = sum(g_x_sum) / static_cast<T>(D);
  simd::for_each_packet<T>(D, [&](Index i, Index n) {
    const Vector g = simd::load<Vector>(to.dy + i, n, T(0)) * simd::load<Vector>(w + i, n, T(0));
    const Vector x_hat = moments.normalized(row.data, i, n);
    simd::store(to.dy + i, n, (g - g_mean - x_hat * g_x_mean) * moments.rstd);
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
