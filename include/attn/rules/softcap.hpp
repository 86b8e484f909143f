#pragma once

#include <attn/rules/rule.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// Scores saturate smoothly at ±cap: cap · tanh(s / cap) [Gemma24 §2].
/// Errors: OptionError if cap is not positive and finite.
struct Softcap {
  static constexpr bool same_for_heads = true;
  double cap;

  void check(const ScoreShape&) const {
    if (!(cap > 0 && std::isfinite(cap)))
      throw OptionError("Softcap: cap = " + std::to_string(cap) + " must be positive and finite");
  }
  template <class T>
  T score(T s, const auto&) const {
    using std::tanh;
    return T(cap) * tanh(s / T(cap));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
