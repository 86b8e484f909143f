#pragma once

/// attn: attention for C++, as "Attention Is All You Need" (Vaswani et al., arXiv 1706.03762)
/// defines it.
///
/// The dimension key, in which shapes are written here and everywhere:
///   B  batch                 L  query length            E   head dimension of query and key (d_k)
///   H  query heads (h)       S  key length              Ev  head dimension of value (d_v)
///   G  key and value heads   D  model width (d_model)   F   feed-forward width (d_ff)
///   V  vocabulary            Br, Bc  rows and columns of a tile
/// Inside a kernel Q K V S P O are matrices, as in the paper.
///
/// This header includes everything up to the layers, and the tape that differentiates them.
/// attn/train.hpp, attn/io/safetensors.hpp, attn/plot.hpp and attn/core/eigen_tensor.hpp are
/// included by name.

#include <attn/attention/scaled_dot_product.hpp>
#include <attn/core/nested.hpp>
#include <attn/core/print.hpp>
#include <attn/core/quantized.hpp>
#include <attn/core/random.hpp>
#include <attn/core/state_dict.hpp>
#include <attn/math/cross_entropy.hpp>
#include <attn/math/loss.hpp>
#include <attn/math/matmul.hpp>
#include <attn/math/online_softmax.hpp>
#include <attn/nn/language_model.hpp>
#include <attn/nn/rms_norm.hpp>
#include <attn/nn/self_attention.hpp>
#include <attn/nn/summary.hpp>
#include <attn/nn/transformer.hpp>
#include <attn/position/rotary.hpp>
#include <attn/rules/learned.hpp>
#include <attn/version.hpp>
