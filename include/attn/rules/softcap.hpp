#pragma once

#include <attn/core/option.hpp>
#include <attn/rules/rule.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// Scores saturate smoothly at ±cap: cap · tanh(s / cap) [Gemma24 §2].
/// Errors: OptionError if cap is not positive and finite, as a float too.
struct Softcap {
  static constexpr bool same_for_heads = true;
  double cap;

  void check(const ScoreShape&) const {
    const float as_float = static_cast<float>(cap);
    expect_option(std::isnormal(as_float) && cap > 0, "Softcap", "cap", cap,
                  "positive and finite, as a float too");
  }
  template <class T>
  T score(T s, const auto&) const {
    using std::tanh;
    return T(cap) * tanh(s / T(cap));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
