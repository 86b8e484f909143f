#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_STANDARD_FUNCTIONS_HPP
#define ATTN_SIMD_STANDARD_FUNCTIONS_HPP

#include <attn/simd/simd.hpp>
#include <cmath>

#define ATTN_KERNELS <attn/simd/standard_functions.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// f(x) of each lane, one after the other.
template <class T, Index n, class F>
Lanes<T, n> for_each_lane(const Lanes<T, n>& x, const F& f) {
  Array<T, n> lane;
  store(lane.data, x);
  for (Index i = 0; i < n; ++i) lane[i] = f(lane[i]);
  return load<Lanes<T, n> >(lane.data);
}

// Functions that the standard library computes, lane by lane. They are as exact as there, and not
// faster.
template <class T, Index n>
Lanes<T, n> log(const Lanes<T, n>& x) {
  return for_each_lane(x, [](T element) { return std::log(element); });
}
template <class T, Index n>
Lanes<T, n> log1p(const Lanes<T, n>& x) {
  return for_each_lane(x, [](T element) { return std::log1p(element); });
}
template <class T, Index n>
Lanes<T, n> sin(const Lanes<T, n>& x) {
  return for_each_lane(x, [](T element) { return std::sin(element); });
}
template <class T, Index n>
Lanes<T, n> cos(const Lanes<T, n>& x) {
  return for_each_lane(x, [](T element) { return std::cos(element); });
}
template <class T, Index n>
Lanes<T, n> pow(const Lanes<T, n>& x, double exponent) {
  return for_each_lane(x, [=](T element) { return std::pow(element, static_cast<T>(exponent)); });
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
