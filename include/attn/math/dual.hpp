#pragma once

#include <attn/simd/exp.hpp>
#include <cmath>
#include <concepts>

namespace attn {
inline namespace ATTN_ABI {

/// x + x′ε with ε² = 0: what is computed from x and x′ = 1 by a formula is the formula's value and
/// its derivative   [Griewank08 §3.1; Clifford 1873]. `Number` is a float or double, or lanes of
/// them; a plain number is a constant. Functions are called unqualified, as a rule's formula calls
/// them after `using std::tanh;`.
template <class Number>
struct Dual {
  Number value, slope;

  Dual() = default;
  Dual(const Number& x, const Number& dx) : value(x), slope(dx) {}
  template <class A>
    requires(!std::same_as<A, Dual> && std::convertible_to<const A&, Number>)
  Dual(const A& constant) : value(static_cast<Number>(constant)), slope(static_cast<Number>(0)) {}

  friend Dual operator-(const Dual& a) { return {-a.value, -a.slope}; }
  friend Dual operator+(const Dual& a, const Dual& b) {
    return {a.value + b.value, a.slope + b.slope};
  }
  friend Dual operator-(const Dual& a, const Dual& b) {
    return {a.value - b.value, a.slope - b.slope};
  }
  friend Dual operator*(const Dual& a, const Dual& b) {
    return {a.value * b.value, a.slope * b.value + a.value * b.slope};
  }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const Number quotient = a.value / b.value;
    return {quotient, (a.slope - quotient * b.slope) / b.value};
  }
  friend Dual& operator+=(Dual& a, const Dual& b) { return a = a + b; }
  friend Dual& operator-=(Dual& a, const Dual& b) { return a = a - b; }
  friend Dual& operator*=(Dual& a, const Dual& b) { return a = a * b; }
  friend Dual& operator/=(Dual& a, const Dual& b) { return a = a / b; }
  friend auto operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
  friend auto operator<=(const Dual& a, const Dual& b) { return a.value <= b.value; }
  friend auto operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
  friend auto operator>=(const Dual& a, const Dual& b) { return a.value >= b.value; }
  friend auto operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
  friend auto operator!=(const Dual& a, const Dual& b) { return a.value != b.value; }

  friend Dual exp(const Dual& x) {
    using std::exp;
    const Number y = exp(x.value);
    return {y, x.slope * y};
  }
  friend Dual log(const Dual& x) {
    using std::log;
    return {log(x.value), x.slope / x.value};
  }
  friend Dual sqrt(const Dual& x) {
    using std::sqrt;
    const Number y = sqrt(x.value);
    return {y, x.slope / (y + y)};
  }
  friend Dual tanh(const Dual& x) {
    using std::tanh;
    const Number y = tanh(x.value);
    return {y, x.slope * (Number(1) - y * y)};
  }
  friend Dual sin(const Dual& x) {
    using std::sin, std::cos;
    return {sin(x.value), x.slope * cos(x.value)};
  }
  friend Dual cos(const Dual& x) {
    using std::sin, std::cos;
    return {cos(x.value), -(x.slope * sin(x.value))};
  }
  friend Dual pow(const Dual& x, double p) {
    using std::pow;
    return {pow(x.value, Number(p)), x.slope * Number(p) * pow(x.value, Number(p - 1))};
  }
  friend Dual fma(const Dual& a, const Dual& b, const Dual& c) { return a * b + c; }
  friend Dual abs(const Dual& x) { return choose(x.value < Number(0), -x, x); }
  friend Dual max(const Dual& a, const Dual& b) { return choose(a.value < b.value, b, a); }
  friend Dual min(const Dual& a, const Dual& b) { return choose(b.value < a.value, b, a); }
  template <class Mask>
  friend Dual select(const Mask& mask, const Dual& yes, const Dual& no) {
    return choose(mask, yes, no);
  }

 private:
  template <class Mask>
  static Dual choose(const Mask& mask, const Dual& yes, const Dual& no) {
    if constexpr (std::same_as<Mask, bool>) return mask ? yes : no;
    else return {select(mask, yes.value, no.value), select(mask, yes.slope, no.slope)};
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
