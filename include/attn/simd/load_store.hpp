#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_LOAD_STORE_HPP
#define ATTN_SIMD_LOAD_STORE_HPP

#include <attn/simd/array.hpp>
#include <attn/simd/lanes.hpp>

#define ATTN_KERNELS <attn/simd/load_store.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

namespace simd {

template <class Vector, class T = typename Vector::Scalar>
Vector load(const T* from) {
  return Vector::load(from);
}
template <class T, Index n>
void store(T* to, const Lanes<T, n>& x) {
  x.store(to);
}
/// Loads the first `count` elements; the lanes after them hold `fill`.
template <class Vector, class T = typename Vector::Scalar>
Vector load(const T* from, Index count, std::type_identity_t<T> fill) {
  if (count == Vector::size) return load<Vector>(from);
  Array<T, Vector::size> lane;
  for (Index i = 0; i < Vector::size; ++i) lane[i] = i < count ? from[i] : fill;
  return load<Vector>(lane.data);
}
/// Stores the first `count` lanes.
template <class T, Index n>
void store(T* to, Index count, const Lanes<T, n>& x) {
  if (count == n) return store(to, x);
  Array<T, n> lane;
  store(lane.data, x);
  for (Index i = 0; i < count; ++i) to[i] = lane[i];
}

/// Calls f(i, n) for each run of n = lanes elements from 0 to `count`, and once with a smaller n
/// for the rest.
template <class T, class F>
void for_each_packet(Index count, F&& f) {
  Index i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) f(i, lanes<T>);
  if (i < count) f(i, count - i);
}

}  // namespace simd

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
