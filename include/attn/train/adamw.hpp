#pragma once

#include <attn/train/adam.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// AdamW's weight decay: θ ← (1 − lr · λ) θ, independent of the gradient and the averages.
/// [Loshchilov19 Alg.2]
struct DecoupledDecay {
  static constexpr const char* kind = "AdamW";
  static constexpr double default_weight_decay = 0.01;
  template <class Vector>
  static void apply(Vector& x, Vector&, const Vector&, const Vector& one_minus_lr_decay) {
    x *= one_minus_lr_decay;
  }
};
using AdamWOptions = AdamOptionsWith<DecoupledDecay>;

/// Adam with decoupled weight decay, see AdamRule.
template <class T>
using AdamW = Optimizer<T, AdamRule<DecoupledDecay>>;

}  // namespace ATTN_ABI
}  // namespace attn
