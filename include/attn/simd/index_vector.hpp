#pragma once

#include <algorithm>
#include <attn/simd/simd.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Whole numbers that follow each other, one in each lane: first, first + step, … Their
/// differences, distances and comparisons with a whole number are exact, however large they are; as
/// `Vector<T>` they are rounded as any whole number is.
template <class T>
struct Ramp {
  using V = simd::Vector<T>;
  using Mask = decltype(V() < V());
  Index first;
  int step = 1;

  operator V() const { return static_cast<T>(first) + lane(); }

  friend Ramp operator+(const Ramp& a, Index b) { return {a.first + b, a.step}; }
  friend Ramp operator+(Index a, const Ramp& b) { return b + a; }
  friend Ramp operator-(const Ramp& a, Index b) { return {a.first - b, a.step}; }
  friend Ramp operator-(Index a, const Ramp& b) { return {a - b.first, -b.step}; }
  friend Mask operator<=(const Ramp& a, Index b) { return a.lane() <= a.bound(b); }
  friend Mask operator>=(const Ramp& a, Index b) { return a.lane() >= a.bound(b); }
  friend Mask operator==(const Ramp& a, Index b) { return a.lane() == a.bound(b); }
  friend Mask operator<(const Ramp& a, Index b) { return !(a >= b); }
  friend Mask operator>(const Ramp& a, Index b) { return !(a <= b); }
  friend Mask operator!=(const Ramp& a, Index b) { return !(a == b); }
  friend Mask operator<=(Index a, const Ramp& b) { return b >= a; }
  friend Mask operator>=(Index a, const Ramp& b) { return b <= a; }
  friend Mask operator<(Index a, const Ramp& b) { return b > a; }
  friend Mask operator>(Index a, const Ramp& b) { return b < a; }
  friend V abs(const Ramp& a) {
    return a.each([](Index x) { return x < 0 ? -x : x; });
  }
  /// The remainder as C++ has it, of the sign of a: one division for all lanes.
  friend V operator%(const Ramp& a, Index b) {
    if (b < 1 || b > (Index{1} << 20)) return a.each([b](Index x) { return x % b; });
    if (a.step < 0) return -((0 - a) % b);
    const T divisor = static_cast<T>(b);
    const V x = static_cast<T>(a.first % b) + a.lane(),
            r = x - divisor * max(floor(x / divisor), T(0));
    return select((a < 0) & (r > T(0)), r - divisor, r);
  }
  friend V operator/(const Ramp& a, Index b) {
    return a.each([b](Index x) { return x / b; });
  }

  /// f(number) in each lane.
  template <class F>
  V each(F&& f) const {
    simd::Array<T, V::size> lane;
    for (Index i = 0; i < V::size; ++i) lane[i] = static_cast<T>(f(first + i * step));
    return simd::load<V>(lane.data);
  }

 private:
  V lane() const {
    return static_cast<T>(step) * V::of(simd::packet::plset<typename V::Packet>(T(0)));
  }
  /// What a lane's distance from the first is compared with; far away is as good as further away.
  V bound(Index b) const {
    constexpr Index far = 4 * V::size;
    Index distance;
    if (__builtin_sub_overflow(b, first, &distance)) distance = b < 0 ? -far : far;
    return static_cast<T>(std::clamp(distance, -far, far));
  }
};

/// Where a vector of scores stands: queries `query`, which follow each other, against one key.
/// Queries are counted as in Position.
template <class T>
struct Positions {
  Index batch, head;
  Ramp<T> query;
  Index key;
};

}  // namespace ATTN_ABI
}  // namespace attn
