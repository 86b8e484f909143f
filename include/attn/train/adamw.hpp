#pragma once

#include <attn/train/adam.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// How AdamW's weights decay: θ ← (1 − lr · λ) θ beside the gradient's step, whatever the averages
/// are. [Loshchilov19 Alg.2]
struct DecoupledDecay {
  static constexpr const char* kind = "AdamW";
  static constexpr double usual = 0.01;
  template <class V>
  static void apply(V& x, V&, const V&, const V& kept) {
    x *= kept;
  }
};
using AdamWOptions = AdamOptionsWith<DecoupledDecay>;

/// Adam with decoupled weight decay, see AdamRule.
template <class T>
using AdamW = Optimizer<T, AdamRule<DecoupledDecay>>;

}  // namespace ATTN_ABI
}  // namespace attn
