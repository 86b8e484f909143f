#ifndef ATTN_TARGET
#ifndef ATTN_SIMD_INDEX_VECTOR_HPP
#define ATTN_SIMD_INDEX_VECTOR_HPP

#include <algorithm>
#include <attn/simd/simd.hpp>
#include <cstdlib>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The longest stride of an IndexVector: a float holds every distance between its lanes.
inline constexpr Index longest_stride = Index{1} << 20;

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/simd/index_vector.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class T>
using IndexVector = detail::native::IndexVector<T>;

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Evenly spaced integers, one in each lane: first, first + stride, … Their differences, distances
/// and comparisons with an integer are exact, however large they are, for strides of at most
/// `longest_stride`; as a `simd::Vector<T>` they are rounded as any integer is.
template <class T>
struct IndexVector {
  using Vector = simd::Vector<T>;
  using Mask = decltype(Vector() < Vector());
  Index first;
  int stride = 1;

  operator Vector() const { return static_cast<T>(first) + distances(); }

  friend IndexVector operator+(const IndexVector& a, Index b) { return {a.first + b, a.stride}; }
  friend IndexVector operator+(Index a, const IndexVector& b) { return b + a; }
  friend IndexVector operator-(const IndexVector& a, Index b) { return {a.first - b, a.stride}; }
  friend IndexVector operator-(Index a, const IndexVector& b) { return {a - b.first, -b.stride}; }
  friend Mask operator<=(const IndexVector& a, Index b) { return a.distances() <= a.bound(b); }
  friend Mask operator>=(const IndexVector& a, Index b) { return a.distances() >= a.bound(b); }
  friend Mask operator==(const IndexVector& a, Index b) { return a.distances() == a.bound(b); }
  friend Mask operator<(const IndexVector& a, Index b) { return !(a >= b); }
  friend Mask operator>(const IndexVector& a, Index b) { return !(a <= b); }
  friend Mask operator!=(const IndexVector& a, Index b) { return !(a == b); }
  friend Mask operator<=(Index a, const IndexVector& b) { return b >= a; }
  friend Mask operator>=(Index a, const IndexVector& b) { return b <= a; }
  friend Mask operator<(Index a, const IndexVector& b) { return b > a; }
  friend Mask operator>(Index a, const IndexVector& b) { return b < a; }
  friend Vector abs(const IndexVector& a) {
    return a.each([](Index x) { return x < 0 ? -x : x; });
  }
  /// The remainder as C++ defines it, with the sign of a: one division for all lanes.
  friend Vector operator%(const IndexVector& a, Index b) {
    if (b < 1 || b > (Index{1} << 20) || a.stride > 4 || a.stride < -4)
      return a.each([b](Index x) { return x % b; });
    if (a.stride < 0) return -((0 - a) % b);
    const T divisor = static_cast<T>(b);
    const Vector x = static_cast<T>(a.first % b) + a.distances();
    const Vector remainder = x - divisor * max(floor(x / divisor), T(0));
    return select((a < 0) & (remainder > T(0)), remainder - divisor, remainder);
  }
  friend Vector operator/(const IndexVector& a, Index b) {
    return a.each([b](Index x) { return x / b; });
  }

  /// f(integer) in each lane.
  template <class F>
  Vector each(F&& f) const {
    simd::Array<T, Vector::size> lane;
    for (Index i = 0; i < Vector::size; ++i) lane[i] = static_cast<T>(f(first + i * stride));
    return simd::load<Vector>(lane.data);
  }

 private:
  /// The distance of each lane from the first.
  Vector distances() const {
    simd::Array<T, Vector::size> lane;
    for (Index i = 0; i < Vector::size; ++i) lane[i] = static_cast<T>(i);
    return static_cast<T>(stride) * simd::load<Vector>(lane.data);
  }
  /// b's distance from the first, to compare `distances()` with. It is clamped to a distance that
  /// no lane has, which gives the same answer and is exact in T.
  Vector bound(Index b) const {
    const Index beyond = Vector::size * (std::abs(stride) + Index{1});
    Index distance;
    if (__builtin_sub_overflow(b, first, &distance)) distance = b < 0 ? -beyond : beyond;
    return static_cast<T>(std::clamp(distance, -beyond, beyond));
  }
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
