#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_NORMAL_HPP
#define ATTN_SIMD_NORMAL_HPP

#include <attn/simd/exp.hpp>
#include <iterator>

#define ATTN_KERNELS <attn/simd/normal.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// The upper tail of the normal distribution as e^(−z²) · t · (c₀ + c₁u + c₂u² + …) with
/// t = 4 / (4 + z), z = |x|/√2, and u = scale·t + shift, which stretches t to −1 … 1 over the range
/// where e^(−z²) is not 0: the Chebyshev series of ½·e^(z²)·erfc(z) / t.
template <class T>
struct NormalTail;

template <>
struct NormalTail<float> {  // relative error of the series 2.0e-9
  static constexpr float series[] = {0.18166566506f,    0.14182870204f,    0.092360720381f,
                                     0.050266724188f,   0.022690745458f,   0.008323098367f,
                                     0.0023717446741f,  0.00046885878206f, 3.7874843573e-5f,
                                     -1.0751969966e-5f, -3.3819144593e-6f};
  static constexpr float scale = 2.8f;
  static constexpr float shift = -1.8f;
};

template <>
struct NormalTail<double> {  // relative error of the series 4.3e-17
  static constexpr double series[] = {
      0.15451694643066435858,      0.13132043738968005481,      0.096690990755563174304,
      0.061456729529532519725,     0.033397328171529108832,     0.01523053917428612186,
      0.0056241351776949829763,    0.0015547528846379171043,    0.0002498127608708423133,
      -0.000016792917623460831715, -0.000021895268831993631813, -4.2373999368396701514e-6,
      7.9379247536208650091e-7,    4.9623927050128800825e-7,    8.2080169944591801474e-9,
      -4.3913544243218610703e-8,   -5.167018891137949758e-9,    3.8520980164745121054e-9,
      6.6941378827734656533e-10,   -3.4266624389289652007e-10,  -4.8937156811094138017e-11,
      2.2825084948905039073e-11};
  static constexpr double scale = 62.0 / 27;
  static constexpr double shift = -35.0 / 27;
};

namespace simd {

/// Φ(x) = ½·erfc(−x/√2): the probability that a standard normal variable is at most x.
/// Numerics: far below 0 it keeps its digits, up to those that x² loses, where ½·(1 + erf(x/√2))
/// has none left; the error is at most 2 ulp of 1.
template <class T, Index n>
Lanes<T, n> normal_cdf(const Lanes<T, n>& x) {
  using Tail = NormalTail<T>;
  constexpr int degree = static_cast<int>(std::size(Tail::series)) - 1;
  const Lanes<T, n> t = T(4) / fma(abs(x), T(0.70710678118654752440), T(4));
  const Lanes<T, n> u = fma(t, Tail::scale, Tail::shift);
  Lanes<T, n> series = Tail::series[degree];
#pragma GCC unroll 32
  for (int k = degree - 1; k >= 0; --k) series = fma(series, u, Tail::series[k]);
  const Lanes<T, n> tail = exp(T(-0.5) * x * x) * t * series;
  return select(x < T(0), tail, T(1) - tail);
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
