#pragma once

#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>
#include <map>
#include <sstream>

#include "report.hpp"
#include "support/plain_multi_head.hpp"

// The equations of the paper, checked against plain loops in double
// (tests/support/plain_attention.hpp) and against PyTorch.

using attn::Index, attn::Tensor;

template <class T, int N>
Tensor<T, N> normal(attn::Random& random, const attn::Shape<N>& shape) {
  Tensor<T, N> x(shape);
  random.normal(x);
  return x;
}

/// How far rounding may take a result in T from the exact one, for values about 1.
template <class T>
constexpr double bound = std::is_same_v<T, double> ? 1e-13 : 5e-6;
template <class T>
const std::string in = std::is_same_v<T, double> ? ", double" : ", float";

template <class T>
void check_scaled_dot_product(Report& report, attn::Random& random) {
  const Index B = 2, H = 4, L = 24, S = 24, E = 16, Ev = 12;
  const auto q = normal<T, 4>(random, {B, H, L, E}), k = normal<T, 4>(random, {B, H, S, E}),
             v = normal<T, 4>(random, {B, H, S, Ev});
  const attn::ScaledDotProductAttention attend;
  const double scale = 1 / std::sqrt(double(E));

  PlainAttention plain;
  plain.run(q, k, v, scale);
  report.check("softmax(Q K^T / sqrt(d_k)) V = Eq. 1 in plain loops" + in<T>, bound<T>,
               [&] { return largest_gap(attend(q, k, v), plain.output); });
  const auto [output, weights] = attend.with_weights(q, k, v);
  report.check("weights = softmax(Q K^T / sqrt(d_k)) in plain loops" + in<T>, bound<T>,
               [&] { return largest_gap(weights, plain.weights); });
  report.check("each row of weights sums to 1" + in<T>, bound<T>, [&] {
    double worst = 0;
    for (Index b = 0; b < B; ++b)
      for (Index h = 0; h < H; ++h)
        for (Index i = 0; i < L; ++i) {
          double sum = 0;
          for (Index j = 0; j < S; ++j) sum += double(weights(b, h, i, j));
          worst = std::max(worst, std::abs(sum - 1));
        }
    return worst;
  });

  PlainAttention causal{.allows = [](Index, Index, Index i, Index j) { return j <= i; }};
  causal.run(q, k, v, scale);
  report.check("causal: keys after the query have no part, as in plain loops" + in<T>, bound<T>,
               [&] { return largest_gap(attend(q, k, v, attn::Causal{}), causal.output); });
  report.check("causal: numbers of earlier rows changed by a later key of NaN" + in<T>, 0, [&] {
    const Index poisoned = 15;
    Tensor<T, 4> bad_k = k, bad_v = v;
    for (Index b = 0; b < B; ++b)
      for (Index h = 0; h < H; ++h)
        bad_k.matrix(b, h).row(poisoned).setConstant(T(NAN)),
            bad_v.matrix(b, h).row(poisoned).setConstant(T(NAN));
    const auto clean = attend(q, k, v, attn::Causal{}),
               got = attend(q, bad_k, bad_v, attn::Causal{});
    double changed = 0;
    for (Index i = 0; i < clean.size(); ++i)
      if (i / Ev % L < poisoned)
        changed += std::memcmp(clean.data() + i, got.data() + i, sizeof(T)) != 0;
    return changed;
  });
  PlainAttention padded{.allows = [](Index b, Index, Index, Index j) { return b == 0 || j < 7; }};
  padded.run(q, k, v, scale);
  report.check("padding: keys after a sequence's end have no part, as in plain loops" + in<T>,
               bound<T>, [&] {
                 return largest_gap(attend(q, k, v, attn::Padding{{24, 7}}), padded.output);
               });
  report.check("a row with nothing to attend to: its largest output and weight" + in<T>, 0, [&] {
    const auto nothing = attend.with_weights(q, k, v, attn::Padding{{24, 0}});
    return double(std::max(nothing.output[1].flat().cwiseAbs().maxCoeff(),
                           nothing.weights[1].flat().cwiseAbs().maxCoeff()));
  });
  const auto few_k = normal<T, 4>(random, {B, 2, S, E}),
             few_v = normal<T, 4>(random, {B, 2, S, Ev});
  PlainAttention grouped;
  grouped.run(q, few_k, few_v, scale);
  report.check("grouped heads: 4 query heads read 2 key heads, as in plain loops" + in<T>, bound<T>,
               [&] { return largest_gap(attend(q, few_k, few_v), grouped.output); });
}

template <class T>
void check_multi_head(Report& report, attn::Random& random) {
  const Index D = 24, B = 2;
  attn::MultiHeadAttention<T> multi_head({.embed_dim = D, .num_heads = 4}, random);
  random.normal(multi_head.in_proj_bias->edit()),
      random.normal(
          multi_head.out_proj.bias->edit());  // they start at 0, which would hide mistakes
  const auto x = normal<T, 3>(random, {B, 9, D}), memory = normal<T, 3>(random, {B, 13, D});
  const auto [expected, expected_weights] = plain_multi_head(multi_head, x, memory, memory);
  report.check("Concat(head_1, ..., head_h) W^O: heads one by one in plain loops" + in<T>,
               10 * bound<T>, [&] { return largest_gap(multi_head(x, memory, memory), expected); });
  report.check("weights of each head, in plain loops" + in<T>, bound<T>, [&] {
    return largest_gap(multi_head.with_weights(x, memory, memory).weights, expected_weights);
  });

  attn::SelfAttention<T> self({.embed_dim = D, .num_heads = 4});
  self.load_state_dict(multi_head.state_dict());
  const auto [one_source, ignored] = plain_multi_head(multi_head, x, x, x);
  report.check("self-attention = multi-head attention with one source, in plain loops" + in<T>,
               10 * bound<T>, [&] { return largest_gap(self(x), one_source); });
  const auto [looks_back, looks_back_weights] = plain_multi_head(
      multi_head, x, x, x, {.allows = [](Index, Index, Index i, Index j) { return j <= i; }});
  report.check("causal self-attention, in plain loops" + in<T>, 10 * bound<T>,
               [&] { return largest_gap(self(x, attn::Causal{}), looks_back); });
}

inline void check_float_against_double(Report& report, attn::Random& random) {
  const attn::Shape<4> shape{2, 4, 200, 32};
  const auto q = normal<double, 4>(random, shape), k = normal<double, 4>(random, shape),
             v = normal<double, 4>(random, shape);
  const auto rounded = [](const Tensor<double, 4>& x) {
    Tensor<float, 4> y(x.shape());
    y.flat() = x.flat().cast<float>();
    return y;
  };
  report.check("float against Eq. 1 in double, relative to the norm", 1e-6, [&] {
    const Tensor<float, 4> got =
        attn::ScaledDotProductAttention{}(rounded(q), rounded(k), rounded(v), attn::Causal{});
    PlainAttention exact{.allows = [](Index, Index, Index i, Index j) { return j <= i; }};
    exact.run(q, k, v, 1 / std::sqrt(32.0));
    return (got.flat().cast<double>() - exact.output.flat()).norm() / exact.output.flat().norm();
  });
}

inline void check_positions(Report& report) {
  const Index d_model = 32;
  const Tensor<double, 2> encoding = attn::sinusoidal<double>(100, d_model);
  report.check("PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(...)", 1e-13, [&] {
    double worst = 0;
    for (Index pos = 0; pos < 100; ++pos)
      for (Index i = 0; i < d_model / 2; ++i) {
        const double angle = double(pos) / std::pow(10000.0, 2 * double(i) / double(d_model));
        worst = std::max({worst, std::abs(encoding(pos, 2 * i) - std::sin(angle)),
                          std::abs(encoding(pos, 2 * i + 1) - std::cos(angle))});
      }
    return worst;
  });
  report.check("PE(pos + k) is PE(pos) turned by an angle that k alone decides", 1e-12, [&] {
    double worst = 0;
    for (Index k = 1; k < 20; ++k)
      for (Index pos = 0; pos + k < 100; ++pos)
        for (Index i = 0; i < d_model; i += 2) {
          const double turn = double(k) / std::pow(10000.0, double(i) / double(d_model));
          worst =
              std::max(worst, std::abs(encoding(pos + k, i) - std::cos(turn) * encoding(pos, i) -
                                       std::sin(turn) * encoding(pos, i + 1)));
        }
    return worst;
  });
}

/// One case of tests/data/attention_cases.safetensors, which PyTorch made: the largest difference
/// of output and weights.
template <class T>
double pytorch_gap(const attn::SafeTensors& file, const std::string& name,
                   std::map<std::string, std::string>& options) {
  const auto has = [&](const char* tensor) { return file.contains(name + "." + tensor); };
  const auto gap = [&](const auto& both) {
    return std::max(
        largest_gap(both.output,
                    file.get<double, std::remove_cvref_t<decltype(both.output.shape())>{}.size()>(
                        name + ".output")),
        largest_gap(both.weights, file.get<double, 4>(name + ".weights")));
  };
  const auto with_rule = [&](const auto& attend) {
    if (has("mask")) return gap(attend(attn::Keep{file.get<bool, 4>(name + ".mask")}));
    if (has("bias")) return gap(attend(attn::Bias{file.get<T, 4>(name + ".bias")}));
    if (has("lengths")) return gap(attend(attn::Padding{file.values<Index>(name + ".lengths")}));
    if (options["rule"] == "causal") return gap(attend(attn::Causal{attn::Align::upper_left}));
    return gap(attend(attn::NoMask{}));
  };
  if (options["kind"] == "scaled_dot_product") {
    attn::AttentionOptions choice;
    if (options.contains("scale")) choice.scale = std::stod(options["scale"]);
    const auto q = file.get<T, 4>(name + ".query"), k = file.get<T, 4>(name + ".key"),
               v = file.get<T, 4>(name + ".value");
    return with_rule([&](const auto& rule) {
      return attn::ScaledDotProductAttention{choice}.with_weights(q, k, v, rule);
    });
  }
  const Index D = std::stol(options["embed_dim"]), H = std::stol(options["num_heads"]);
  const auto q = file.get<T, 3>(name + ".query");
  if (options["kind"] == "self_attention") {
    attn::SelfAttention<T> layer({.embed_dim = D, .num_heads = H, .bias = options["bias"] == "1"});
    layer.load_state_dict(file, name + ".state.");
    return with_rule([&](const auto& rule) { return layer.with_weights(q, rule); });
  }
  attn::MultiHeadAttention<T> layer({.embed_dim = D,
                                     .num_heads = H,
                                     .kdim = std::stol(options["kdim"]),
                                     .vdim = std::stol(options["vdim"]),
                                     .bias = options["bias"] == "1"});
  layer.load_state_dict(file, name + ".state.");
  const auto k = file.get<T, 3>(name + ".key"), v = file.get<T, 3>(name + ".value");
  return with_rule([&](const auto& rule) { return layer.with_weights(q, k, v, rule); });
}

inline void check_against_pytorch(Report& report, const std::string& path) {
  try {
    const attn::SafeTensors file = attn::load_safetensors(path);
    for (const auto& [name, text] : file.metadata()) {
      std::map<std::string, std::string> options;
      std::istringstream words(text);
      for (std::string word; words >> word;)
        options[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
      const std::string what =
          "case " + name + ", " + options["kind"] + ", rule " + options["rule"];
      report.check(what + in<double>, 1e-11,
                   [&] { return pytorch_gap<double>(file, name, options); });
      report.check(what + in<float>, 2e-5, [&] { return pytorch_gap<float>(file, name, options); });
    }
  } catch (const std::exception& error) {
    report.check(std::string("the cases can be read: ") + error.what(), 0, [] { return 1.0; });
  }
}

/// Every check; true if all hold.
inline bool check_equations(const std::string& pytorch_cases) {
  Report report;
  attn::Random random{1706};
  report.section("Scaled dot-product attention [Eq. 1]");
  check_scaled_dot_product<double>(report, random), check_scaled_dot_product<float>(report, random);
  check_float_against_double(report, random);
  report.section("Multi-head attention and self-attention [section 3.2.2, 3.2.3]");
  check_multi_head<double>(report, random), check_multi_head<float>(report, random);
  report.section("Positional encoding [section 3.5]");
  check_positions(report);
  report.section("The same calls in PyTorch, float64");
  check_against_pytorch(report, pytorch_cases);
  return report.close();
}
