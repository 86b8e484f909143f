#ifndef ATTN_TARGET
#ifndef ATTN_MATH_SOFTMAX_HPP
#define ATTN_MATH_SOFTMAX_HPP

#include <attn/autograd/apply.hpp>
#include <attn/math/rows.hpp>
#include <attn/simd/exp.hpp>
#include <cmath>
#include <span>

#define ATTN_KERNELS <attn/math/softmax.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// P = softmax(S) of a row: P_j = exp(S_j − m) / Σ_k exp(S_k − m), m = max S   [Vaswani17 Eq.1]
/// Returns log Σ exp S_k. `weights` may be `scores`. A row of −inf only, in which nothing may be
/// attended to, gives weights 0 and −inf.
/// Numerics: the maximum is subtracted, so nothing overflows; a score of −inf has weight exactly 0;
/// a NaN or +inf makes the whole row NaN; sums are taken in an order that depends on the length
/// alone.
template <class T>
T softmax(std::span<const T> scores, std::span<T> weights) {
  return ATTN_DISPATCH(softmax_row<T>(scores, weights));
}

/// dS from P = softmax(S) and dP: dS = P ∘ (dP − Σ_k P_k dP_k). `d_scores` may be `d_weights`.
template <class T>
void softmax_backward(std::span<const T> weights, std::span<const T> d_weights,
                      std::span<T> d_scores) {
  T dot = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) dot += weights[k] * d_weights[k];
  for (std::size_t k = 0; k < weights.size(); ++k) d_scores[k] = weights[k] * (d_weights[k] - dot);
}

/// The same for every row of a tensor, its last axis.
struct Softmax {
  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x) const {
    detail::for_each_row(x, [width = row_size(x)](T* row) {
      const std::span<T> scores(row, width);
      softmax<T>(scores, scores);
    });
    return x;
  }
  template <class T, int N>
  auto forward(const Recording&, const Input<T, N>& x) const {
    auto P = std::make_shared<const Tensor<T, N>>(forward(x.value()));
    return OutputAndSaved{P, P};
  }
  template <class T, int N>
  void backward(Tensor<T, N> dP, const std::shared_ptr<const Tensor<T, N>>& P,
                const Input<T, N>& x) const {
    const std::size_t width = row_size(dP);
    T* const first = dP.data();
    detail::for_each_row(dP, [&](T* row) {
      const std::span<T> d_weights(row, width);
      softmax_backward<T>(std::span(P->data() + (row - first), width), d_weights, d_weights);
    });
    x.add(std::move(dP));
  }

 private:
  template <class T, int N>
  static std::size_t row_size(const Tensor<T, N>& x) {
    return static_cast<std::size_t>(x.shape().back());
  }
};

/// softmax over the last axis, as PyTorch's `softmax(x, dim=-1)`. A row of −inf only gives 0.
template <TensorOrVariable X>
auto softmax(X&& x) {
  return apply(Softmax{}, std::forward<X>(x));
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The largest element of a row; −inf for an empty row. A NaN may be ignored: whatever uses the
/// maximum meets it again.
template <class T>
T row_maximum(std::span<const T> x) {
  using Vector = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  Vector m = none;
  simd::for_each_packet<T>(static_cast<Index>(x.size()), [&](Index i, Index n) {
    m = max(m, simd::load<Vector>(x.data() + i, n, none));
  });
  return largest(m);
}

/// See `attn::softmax` of a row.
template <class T>
T softmax_row(std::span<const T> scores, std::span<T> weights) {
  using Vector = simd::Vector<T>;
  constexpr T none = -std::numeric_limits<T>::infinity();
  const Index length = static_cast<Index>(scores.size());
  const T maximum = row_maximum(scores);
  const Vector m = maximum == none ? T(0) : maximum;
  Vector sums = T(0);
  simd::for_each_packet<T>(length, [&](Index i, Index n) {
    const Vector e = exp(simd::load<Vector>(scores.data() + i, n, none) - m);
    sums += e;
    simd::store(weights.data() + i, n, e);
  });
  const T total = sum(sums);
  if (total == T(0)) return none;
  const Vector inverse_sum = T(1) / total;
  simd::for_each_packet<T>(length, [&](Index i, Index n) {
    const Vector e = simd::load<Vector>(weights.data() + i, n, T(0));
    simd::store(weights.data() + i, n, e * inverse_sum);
  });
  return maximum + std::log(total);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
