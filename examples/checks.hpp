#pragma once

#include <attn/attn.hpp>
#include <cstring>
#include <string>

#include "paper_equations.hpp"
#include "pytorch_cases.hpp"
#include "report.hpp"

// The layers of the library, checked against the equations of the paper and against PyTorch.

using attn::Index, attn::Tensor;

template <class T, int N>
Tensor<T, N> normal_tensor(attn::Random& random, const attn::Shape<N>& shape) {
  Tensor<T, N> x(shape);
  random.normal(x);
  return x;
}

/// How far rounding may take a result in T from the exact one, for values about 1.
template <class T>
constexpr double bound = std::is_same_v<T, double> ? 1e-13 : 5e-6;
template <class T>
const std::string in = std::is_same_v<T, double> ? ", double" : ", float";

/// Attention, unmasked and masked, and its weights against Equation 1.
template <class T>
void check_scaled_dot_product(Report& report, attn::Random& random) {
  const Index B = 2, H = 4, L = 24, S = 24, E = 16, Ev = 12;
  const auto q = normal_tensor<T, 4>(random, {B, H, L, E}),
             k = normal_tensor<T, 4>(random, {B, H, S, E}),
             v = normal_tensor<T, 4>(random, {B, H, S, Ev});
  const attn::ScaledDotProductAttention attend;

  const auto plain = paper::attention(q, k, v);
  report.check("softmax(Q K^T / sqrt(d_k)) V = Eq. 1" + in<T>, bound<T>,
               [&] { return largest_difference(attend(q, k, v), plain.output); });
  const auto weights = attend.with_weights(q, k, v).weights;
  report.check("weights = softmax(Q K^T / sqrt(d_k))" + in<T>, bound<T>,
               [&] { return largest_difference(weights, plain.weights); });
  report.check("each row of the weights sums to 1" + in<T>, bound<T>, [&] {
    double worst = 0;
    for (Index row = 0; row < B * H * L; ++row) {
      double sum = 0;
      for (Index j = 0; j < S; ++j) sum += static_cast<double>(weights.data()[row * S + j]);
      worst = std::max(worst, std::abs(sum - 1));
    }
    return worst;
  });

  const auto causal = paper::attention(q, k, v, paper::causal);
  report.check("causal mask: Eq. 1 over the keys up to the query" + in<T>, bound<T>,
               [&] { return largest_difference(attend(q, k, v, attn::Causal{}), causal.output); });
  const auto padded =
      paper::attention(q, k, v, [](Index b, Index, Index j) { return b == 0 || j < 7; });
  report.check("padding mask: Eq. 1 over the keys of each sequence" + in<T>, bound<T>, [&] {
    return largest_difference(attend(q, k, v, attn::Padding{{24, 7}}), padded.output);
  });
  const auto few_k = normal_tensor<T, 4>(random, {B, 2, S, E}),
             few_v = normal_tensor<T, 4>(random, {B, 2, S, Ev});
  const auto grouped = paper::attention(q, few_k, few_v);
  report.check("grouped-query attention: 4 query heads read 2 key heads" + in<T>, bound<T>,
               [&] { return largest_difference(attend(q, few_k, few_v), grouped.output); });
}

/// A masked key has no effect at all, and a query without keys has none either.
template <class T>
void check_masked_keys(Report& report, attn::Random& random) {
  const attn::Shape<4> shape{2, 4, 24, 16};
  const auto q = normal_tensor<T, 4>(random, shape), k = normal_tensor<T, 4>(random, shape),
             v = normal_tensor<T, 4>(random, shape);
  const attn::ScaledDotProductAttention attend;
  report.check("causal mask: elements changed in rows before a key of NaN" + in<T>, 0, [&] {
    const Index poisoned = 15;
    Tensor<T, 4> bad_k = k, bad_v = v;
    for (Index b = 0; b < shape[0]; ++b)
      for (Index h = 0; h < shape[1]; ++h) {
        bad_k.matrix(b, h).row(poisoned).setConstant(T(NAN));
        bad_v.matrix(b, h).row(poisoned).setConstant(T(NAN));
      }
    const auto clean = attend(q, k, v, attn::Causal{});
    const auto got = attend(q, bad_k, bad_v, attn::Causal{});
    double changed = 0;
    for (Index i = 0; i < clean.size(); ++i)
      if (i / shape[3] % shape[2] < poisoned)
        changed += std::memcmp(clean.data() + i, got.data() + i, sizeof(T)) != 0;
    return changed;
  });
  report.check("fully masked row: its largest output and weight" + in<T>, 0, [&] {
    const auto nothing = attend.with_weights(q, k, v, attn::Padding{{24, 0}});
    return static_cast<double>(std::max(nothing.output[1].flat().cwiseAbs().maxCoeff(),
                                        nothing.weights[1].flat().cwiseAbs().maxCoeff()));
  });
}

template <class T>
void check_multi_head(Report& report, attn::Random& random) {
  const Index D = 24, B = 2;
  attn::MultiHeadAttention<T> layer({.embed_dim = D, .num_heads = 4}, random);
  // Biases are initialized to 0, which would hide mistakes.
  random.normal(layer.in_proj_bias->edit());
  random.normal(layer.out_proj.bias->edit());
  const auto x = normal_tensor<T, 3>(random, {B, 9, D}),
             memory = normal_tensor<T, 3>(random, {B, 13, D});
  const auto expected = paper::multi_head(layer, x, memory);
  report.check("Concat(head_1, ..., head_h) W^O, head by head" + in<T>, 10 * bound<T>,
               [&] { return largest_difference(layer(x, memory, memory), expected.output); });
  report.check("weights of each head" + in<T>, bound<T>, [&] {
    return largest_difference(layer.with_weights(x, memory, memory).weights, expected.weights);
  });

  attn::SelfAttention<T> self({.embed_dim = D, .num_heads = 4});
  self.load_state_dict(layer.state_dict());
  const auto one_source = paper::multi_head(layer, x, x);
  report.check("self-attention = multi-head attention with one source" + in<T>, 10 * bound<T>,
               [&] { return largest_difference(self(x), one_source.output); });
  const auto causal = paper::multi_head(layer, x, x, paper::causal);
  report.check("causal self-attention" + in<T>, 10 * bound<T>,
               [&] { return largest_difference(self(x, attn::Causal{}), causal.output); });
}

inline void check_float_against_double(Report& report, attn::Random& random) {
  const attn::Shape<4> shape{2, 4, 200, 32};
  const auto q = normal_tensor<double, 4>(random, shape),
             k = normal_tensor<double, 4>(random, shape),
             v = normal_tensor<double, 4>(random, shape);
  const auto rounded = [](const Tensor<double, 4>& x) {
    Tensor<float, 4> y(x.shape());
    y.flat() = x.flat().cast<float>();
    return y;
  };
  report.check("float against Eq. 1 in double, relative to the norm", 1e-6, [&] {
    const Tensor<float, 4> got =
        attn::ScaledDotProductAttention{}(rounded(q), rounded(k), rounded(v), attn::Causal{});
    const Tensor<double, 4> exact = paper::attention(q, k, v, paper::causal).output;
    return (got.flat().cast<double>() - exact.flat()).norm() / exact.flat().norm();
  });
}

inline void check_positions(Report& report) {
  const Index d_model = 32;
  const Tensor<double, 2> encoding = attn::sinusoidal<double>(100, d_model);
  const auto angle = [&](Index pos, Index i) {
    return static_cast<double>(pos) /
           std::pow(10000.0, static_cast<double>(i) / static_cast<double>(d_model));
  };
  report.check("PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(...)", 1e-13, [&] {
    double worst = 0;
    for (Index pos = 0; pos < 100; ++pos)
      for (Index i = 0; i < d_model; i += 2)
        worst = std::max({worst, std::abs(encoding(pos, i) - std::sin(angle(pos, i))),
                          std::abs(encoding(pos, i + 1) - std::cos(angle(pos, i)))});
    return worst;
  });
  report.check("PE(pos + k) is PE(pos) rotated by an angle that depends on k alone", 1e-12, [&] {
    double worst = 0;
    for (Index k = 1; k < 20; ++k)
      for (Index pos = 0; pos + k < 100; ++pos)
        for (Index i = 0; i < d_model; i += 2) {
          const double rotated = std::cos(angle(k, i)) * encoding(pos, i) +
                                 std::sin(angle(k, i)) * encoding(pos, i + 1);
          worst = std::max(worst, std::abs(encoding(pos + k, i) - rotated));
        }
    return worst;
  });
}

/// Runs every check; true if all hold.
inline bool check_equations(const std::string& pytorch_cases) {
  Report report;
  attn::Random random{1706};
  report.section("Scaled dot-product attention [Eq. 1]");
  check_scaled_dot_product<double>(report, random);
  check_scaled_dot_product<float>(report, random);
  check_masked_keys<double>(report, random);
  check_masked_keys<float>(report, random);
  check_float_against_double(report, random);
  report.section("Multi-head attention and self-attention [section 3.2.2, 3.2.3]");
  check_multi_head<double>(report, random);
  check_multi_head<float>(report, random);
  report.section("Positional encoding [section 3.5]");
  check_positions(report);
  report.section("The same calls in PyTorch, float64");
  check_against_pytorch(report, pytorch_cases);
  return report.close();
}
