#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_REDUCE_HPP
#define ATTN_SIMD_REDUCE_HPP

#include <attn/simd/lanes.hpp>

#define ATTN_KERNELS <attn/simd/reduce.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

/// All lanes as one value, by f of two values: those of the lower half with those of the upper,
/// until one is left.
template <class T, Index n, class F>
T reduce(const Lanes<T, n>& a, const F& f) {
  if constexpr (sizeof(a.packet) > 16) {
    using Half = Lanes<T, n / 2>;
    const auto halves = reinterpret<Array<typename Half::Packet, 2> >(a.packet);
    return reduce(f(Half::of(halves[0]), Half::of(halves[1])), f);
  } else {
    auto lane = reinterpret<Array<T, n> >(a.packet);
    for (Index half = n / 2; half > 0; half /= 2)
      for (Index i = 0; i < half; ++i)
        lane[i] = f(Lanes<T, 1>(lane[i]), Lanes<T, 1>(lane[i + half]));
    return lane[0];
  }
}
/// The sum of all lanes.
template <class T, Index n>
T sum(const Lanes<T, n>& a) {
  return reduce(a, [](const auto& x, const auto& y) { return x + y; });
}
/// The largest of all lanes.
template <class T, Index n>
T largest(const Lanes<T, n>& a) {
  return reduce(a, [](const auto& x, const auto& y) { return max(x, y); });
}
/// Whether the mask is true in some lane.
template <class T, Index n>
bool any(const Mask<T, n>& a) {
  using Words = Array<std::int64_t, static_cast<Index>(sizeof(a.packet) / 8)>;
  if constexpr (n == 1) {
    return a.packet != 0;
  } else {
    const auto words = reinterpret<Words>(a.packet);
    std::int64_t all = 0;
    for (std::int64_t word : words.data) all |= word;
    return all != 0;
  }
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
