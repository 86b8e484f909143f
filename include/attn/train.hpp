#pragma once

/// Training: optimizers, learning rates, clipping, averaging and gradient checks. What is
/// differentiated is in attn.hpp (Tape); checkpoints are in attn/io/checkpoint.hpp. A step:
///
///   attn::Tape<float> tape{random};
///   const auto loss = attn::cross_entropy(model(tape, x), y);
///   adam.zero_grad();
///   tape.backward(loss);
///   attn::clip_gradient_norm(model.parameters(), 1.0);
///   adam.step(rate(step));
///
/// Gradients accumulate until they are cleared. So a batch that is too large for the memory is
/// computed in n parts: call zero_grad once, run the forward and the backward pass of each part on
/// a tape of its own, call `scale_gradients(model.parameters(), 1.0 / n)` where the loss is a mean,
/// and make one step.

#include <attn/train/adamw.hpp>
#include <attn/train/gradient_check.hpp>
#include <attn/train/gradients.hpp>
#include <attn/train/moving_average.hpp>
#include <attn/train/schedule.hpp>
#include <attn/train/sgd.hpp>
