#pragma once

#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>
#include <map>
#include <sstream>
#include <string>

#include "paper_equations.hpp"
#include "report.hpp"

// Attention calls that PyTorch computed in float64 (data/make_attention_cases.py), and the same
// calls to the library.

using attn::Index, attn::Tensor;

/// A case of data/attention_cases.safetensors, which PyTorch computed, and its options.
struct PyTorchCase {
  const attn::SafeTensors& file;
  std::string name;
  std::map<std::string, std::string> options{};

  PyTorchCase(const attn::SafeTensors& cases, const std::string& number, const std::string& text)
      : file(cases), name(number) {
    std::istringstream words(text);
    for (std::string word; words >> word;)
      options[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  }
  template <class T, int N>
  Tensor<T, N> get(const char* tensor) const {
    return file.get<T, N>(name + "." + tensor);
  }
  bool has(const char* tensor) const { return file.contains(name + "." + tensor); }
  Index integer(const char* option) const { return std::stol(options.at(option)); }
  bool is(const char* option, const char* value) const {
    const auto at = options.find(option);
    return at != options.end() && at->second == value;
  }
};

/// Calls `attend` with the rule of a case. Returns the largest difference of output and weights.
template <class T, class Attend>
double difference_under_rule(const PyTorchCase& c, const Attend& attend) {
  const auto difference = [&](const auto& got) {
    constexpr int N = std::tuple_size_v<std::remove_cvref_t<decltype(got.output.shape())>>;
    return std::max(largest_difference(got.output, c.get<double, N>("output")),
                    largest_difference(got.weights, c.get<double, 4>("weights")));
  };
  if (c.has("mask")) return difference(attend(attn::Keep{c.get<bool, 4>("mask")}));
  if (c.has("bias")) return difference(attend(attn::Bias{c.get<T, 4>("bias")}));
  if (c.has("lengths"))
    return difference(attend(attn::Padding{c.file.values<Index>(c.name + ".lengths")}));
  if (c.is("rule", "causal")) return difference(attend(attn::Causal{attn::Align::upper_left}));
  return difference(attend(attn::NoMask{}));
}

/// The largest difference of output and weights from those of PyTorch.
template <class T>
double pytorch_difference(const PyTorchCase& c) {
  if (c.is("kind", "scaled_dot_product")) {
    attn::AttentionOptions options;
    if (c.options.contains("scale")) options.scale = std::stod(c.options.at("scale"));
    const auto q = c.get<T, 4>("query"), k = c.get<T, 4>("key"), v = c.get<T, 4>("value");
    return difference_under_rule<T>(c, [&](const auto& rule) {
      return attn::ScaledDotProductAttention{options}.with_weights(q, k, v, rule);
    });
  }
  const auto q = c.get<T, 3>("query");
  if (c.is("kind", "self_attention")) {
    attn::SelfAttention<T> layer({.embed_dim = c.integer("embed_dim"),
                                  .num_heads = c.integer("num_heads"),
                                  .bias = c.is("bias", "1")});
    layer.load_state_dict(c.file, c.name + ".state.");
    return difference_under_rule<T>(c,
                                    [&](const auto& rule) { return layer.with_weights(q, rule); });
  }
  attn::MultiHeadAttention<T> layer({.embed_dim = c.integer("embed_dim"),
                                     .num_heads = c.integer("num_heads"),
                                     .kdim = c.integer("kdim"),
                                     .vdim = c.integer("vdim"),
                                     .bias = c.is("bias", "1")});
  layer.load_state_dict(c.file, c.name + ".state.");
  const auto k = c.get<T, 3>("key"), v = c.get<T, 3>("value");
  return difference_under_rule<T>(
      c, [&](const auto& rule) { return layer.with_weights(q, k, v, rule); });
}

inline void check_against_pytorch(Report& report, const std::string& path) {
  try {
    const attn::SafeTensors file = attn::load_safetensors(path);
    for (const auto& [name, text] : file.metadata()) {
      const PyTorchCase c(file, name, text);
      const std::string what =
          "case " + name + ", " + c.options.at("kind") + ", rule " + c.options.at("rule");
      report.check(what + ", double", 1e-11, [&] { return pytorch_difference<double>(c); });
      report.check(what + ", float", 2e-5, [&] { return pytorch_difference<float>(c); });
    }
  } catch (const std::exception& error) {
    report.check(std::string("the cases can be read: ") + error.what(), 0, [] { return 1.0; });
  }
}
