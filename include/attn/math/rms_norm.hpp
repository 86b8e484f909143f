#ifndef ATTN_TARGET
#ifndef ATTN_MATH_RMS_NORM_HPP
#define ATTN_MATH_RMS_NORM_HPP

#include <attn/autograd/apply.hpp>
#include <attn/math/rows.hpp>
#include <cmath>

#define ATTN_KERNELS <attn/math/rms_norm.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y = x̂ ∘ w, x̂ = x / √(Σ x² / D + ε), for every row x, the last axis   [Zhang19 Eq.4]
/// With g = dy ∘ w:  dx = (g − x̂ Σ(g ∘ x̂) / D) / √(Σ x² / D + ε)   dw = Σ dy ∘ x̂
/// Errors: ShapeError if the rows are not as wide as w.
struct RmsNormalization {
  double eps;

  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x, const Tensor<T, 1>& w) const {
    const Index D = detail::row_width(x, w, "RMSNorm");
    detail::for_each_row(x, [&](T* row) {
      ATTN_DISPATCH(rms_norm_row<T>({row, D}, w.data(), eps));
    });
    return x;
  }

  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x, const Input<T, 1>& w) const {
    const Index D = w.shape()[0];
    Tensor<T, 1> dw = detail::sum_over_rows<T>(D > 0 ? dy.size() / D : 0, D, [&](Index r, T* sums) {
      const detail::NormGradients<T> to{dy.data() + r * D, sums, nullptr};
      ATTN_DISPATCH(
          rms_norm_backward_row<T>({x.value().data() + r * D, D}, w.value().data(), eps, to));
    });
    x.add(std::move(dy));
    w.add(std::move(dw));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// 1 / √(Σ x² / D + ε) of a row.
template <class T>
simd::Vector<T> inverse_rms(const T* row, Index D, double eps) {
  using Vector = simd::Vector<T>;
  const T squares = row_sum<T>(D, [&](Index i, Index n) {
    const Vector v = simd::load<Vector>(row + i, n, T(0));
    return v * v;
  });
  return static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(D) + eps));
}

/// A row of RMSNorm, in place.
template <class T>
void rms_norm_row(const Row<T>& row, const T* w, double eps) {
  using Vector = simd::Vector<T>;
  T* const x = row.data;
  const Vector rrms = inverse_rms(x, row.size, eps);
  simd::for_each_packet<T>(row.size, [&](Index i, Index n) {
    const Vector x_hat = simd::load<Vector>(x + i, n, T(0)) * rrms;
    simd::store(x + i, n, x_hat * simd::load<Vector>(w + i, n, T(0)));
  });
}

template <class T>
void rms_norm_backward_row(const Row<const T>& row, const T* w, double eps,
                           const NormGradients<T>& to) {
  using Vector = simd::Vector<T>;
  const Index D = row.size;
  const Vector rrms = inverse_rms(row.data, D, eps);
  Vector g_x_sum = T(0);
  simd::for_each_packet<T>(D, [&](Index i, Index n) {
    const Vector x_hat = simd::load<Vector>(row.data + i, n, T(0)) * rrms;
    const Vector d = simd::load<Vector>(to.dy + i, n, T(0));
    g_x_sum += d * simd::load<Vector>(w + i, n, T(0)) * x_hat;
    add_to<T>(to.dw + i, n, d * x_hat);
  });
  const Vector g_x_mean = sum(g_x_sum) / static_cast<T>(D);
  simd::for_each_packet<T>(D, [&](Index i, Index n) {
    const Vector g = simd::load<Vector>(to.dy + i, n, T(0)) * simd::load<Vector>(w + i, n, T(0));
    const Vector x_hat = simd::load<Vector>(row.data + i, n, T(0)) * rrms;
    simd::store(to.dy + i, n, (g - x_hat * g_x_mean) * rrms);
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
