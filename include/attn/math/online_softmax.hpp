#ifndef ATTN_TARGET
#ifndef ATTN_MATH_ONLINE_SOFTMAX_HPP
#define ATTN_MATH_ONLINE_SOFTMAX_HPP

#include <attn/simd/exp.hpp>
#include <cmath>

#define ATTN_KERNELS <attn/math/online_softmax.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class Number>
using OnlineSoftmax = detail::native::OnlineSoftmax<Number>;

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Softmax over scores of which some are known [Milakov18 Alg.3, FA2 §2.3]: their maximum m, and
/// the sum ℓ = Σ 2^(s − m), for scores in units of log 2 (multiplied by log₂ e). Two states merge
/// into that of all their scores, in either order, and a state of nothing changes nothing. `Number`
/// is a float or double, or a simd::Vector with a state in each lane.
/// Numerics: where only −∞ has been seen m is −∞, and its factor is 2^(−∞) = 0, not
/// 2^(−∞ + ∞) = NaN.
template <class Number>
struct OnlineSoftmax {
  Number maximum = Number(-infinity);
  Number sum = Number(0);

  /// What sums, and outputs that are weighted by 2^(s − m), are multiplied by when states merge.
  struct Factors {
    Number previous, added;
  };

  /// m ← max(m, m')   ℓ ← 2^(m_old − m) ℓ + 2^(m' − m) ℓ'   [FA2 Alg.1, lines 9–10]
  Factors merge(const OnlineSoftmax& other) {
    const Lanes before(maximum), added(other.maximum), after = max(before, added),
                                                       finite = finite_or_0(after);
    const Lanes previous_factor = exp2(before - finite), added_factor = exp2(added - finite);
    maximum = after;
    sum = fma(Lanes(sum), previous_factor, Lanes(other.sum) * added_factor);
    return {previous_factor, added_factor};
  }

  /// A maximum that can be subtracted: where every score is −∞, any finite number will do.
  static auto finite_or_0(const Number& m) {
    return select(Lanes(m) == -infinity, scalar_t(0), Lanes(m));
  }

  /// log Σ e^s; −∞ if there was nothing.
  Number log_sum_exp() const
    requires std::is_floating_point_v<Number>
  {
    constexpr Number ln2 = Number(0.69314718055994530942);
    return sum == Number(0) ? -infinity : ln2 * (maximum + std::log2(sum));
  }

 private:
  template <class N>
  struct LanesOf {
    using Type = N;
    using Scalar = typename N::Scalar;
  };
  template <class N>
    requires std::is_floating_point_v<N>
  struct LanesOf<N> {
    using Type = simd::Single<N>;
    using Scalar = N;
  };
  using Lanes = typename LanesOf<Number>::Type;
  using scalar_t = typename LanesOf<Number>::Scalar;
  static constexpr scalar_t infinity = std::numeric_limits<scalar_t>::infinity();
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
