#pragma once

#include <attn/attention/weight_dropout.hpp>
#include <attn/core/tensor_view.hpp>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// What attention reads: query (B, H, L, E), key (B, G, S, E), value (B, G, S, Ev), and which
/// weights are dropped, if any. Keys and values are tensor views, or KeyHeads.
template <class T, class Keys = TensorView<const T, 4>, class Values = TensorView<const T, 4>>
struct AttentionInputs {
  TensorView<const T, 4> query;
  Keys key;
  Values value;
  std::optional<WeightDropout<T>> dropout = std::nullopt;
};

template <class T, class Keys, class Values>
AttentionInputs(TensorView<const T, 4>, Keys, Values) -> AttentionInputs<T, Keys, Values>;

/// What forward overwrites: output (B, H, L, Ev), and where they are asked for the weights
/// (B, H, L, S) and the log-sum-exp (B, H, L) of each query's scores and sinks.
template <class T>
struct AttentionOutputs {
  TensorView<T, 4> output;
  std::optional<TensorView<T, 4>> weights = std::nullopt;
  std::optional<TensorView<T, 3>> log_sum_exp = std::nullopt;
};

/// What backward reads besides the inputs: what forward gave, and the gradient of the loss by it.
template <class T>
struct BackwardInputs {
  TensorView<const T, 4> output;
  TensorView<const T, 3> log_sum_exp;
  TensorView<const T, 4> d_output;
};

/// What backward overwrites: the gradients of the loss by query, key and value.
template <class T>
struct InputGradients {
  TensorView<T, 4> query, key, value;
};

}  // namespace ATTN_ABI
}  // namespace attn
