#pragma once

#include <attn/core/option.hpp>
#include <cmath>
#include <numbers>
#include <optional>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Which two of the elements of a head are rotated together as pair i = 0 … E/2 − 1.
enum class RotaryLayout {
  half,        ///< i and E/2 + i, as in GPT-NeoX, Llama, Hugging Face
  interleaved  ///< 2i and 2i + 1, as in the paper and GPT-J
};

/// For contexts longer than those of training: θ_i / factor   [Chen23 §2.3]
struct LinearScaling {
  double factor;
};
/// The scaling of Llama 3.1 and later, by the wavelength λ_i = 2π / θ_i. With the context C =
/// original_max_length of training: θ_i where λ_i < C / high_freq_factor, θ_i / factor where λ_i >
/// C / low_freq_factor, and between them, with s = (C / λ_i − low_freq_factor) / (high_freq_factor
/// − low_freq_factor), the mean (1 − s) θ_i / factor + s θ_i   [Grattafiori24 §3.4.2]
struct Llama3Scaling {
  double factor = 8, low_freq_factor = 1, high_freq_factor = 4;
  double original_max_length = 8192;
};
/// θ_i / divisors[i], as GGUF files have it: their tensor `rope_freqs.weight`.
struct FrequencyDivisors {
  std::vector<double> divisors;
};
using RotaryScaling = std::variant<std::monostate, LinearScaling, Llama3Scaling, FrequencyDivisors>;

/// E, the base of the frequencies, and how many of the E elements are rotated, the first: by
/// default all. A layer of attention fills in the head dimension.
struct RotaryOptions {
  Index head_dim = 0;
  double base = 10000;
  RotaryLayout layout = RotaryLayout::half;
  std::optional<Index> rotary_dim = std::nullopt;
  RotaryScaling scaling = {};

  Index rotated() const { return rotary_dim.value_or(head_dim); }
  /// These options for heads of a dimension.
  RotaryOptions with_head_dim(Index dim) const {
    RotaryOptions options = *this;
    options.head_dim = dim;
    return options;
  }
};

namespace detail {

/// θ_i of the base, changed by a scaling.
struct ScaledFrequency {
  double theta;
  std::size_t pair;

  double operator()(const std::monostate&) const { return theta; }
  double operator()(const LinearScaling& o) const { return theta / o.factor; }
  double operator()(const FrequencyDivisors& o) const { return theta / o.divisors[pair]; }
  double operator()(const Llama3Scaling& o) const {
    const double periods = o.original_max_length * theta / (2 * std::numbers::pi);
    if (periods > o.high_freq_factor) return theta;
    if (periods < o.low_freq_factor) return theta / o.factor;
    const double s = (periods - o.low_freq_factor) / (o.high_freq_factor - o.low_freq_factor);
    return (1 - s) * theta / o.factor + s * theta;
  }
};

/// Errors: OptionError naming what does not fit.
struct CheckedScaling {
  std::size_t pairs;

  static void expect_positive(const char* name, double value) {
    expect_option(value > 0 && std::isfinite(value), "Rotary", name, value, "positive and finite");
  }
  void operator()(const std::monostate&) const {}
  void operator()(const LinearScaling& o) const { expect_positive("factor", o.factor); }
  void operator()(const Llama3Scaling& o) const {
    expect_positive("factor", o.factor);
    expect_positive("low_freq_factor", o.low_freq_factor);
    expect_positive("original_max_length", o.original_max_length);
    expect_option(o.high_freq_factor > o.low_freq_factor && std::isfinite(o.high_freq_factor),
                  "Rotary", "high_freq_factor", o.high_freq_factor,
                  "finite and more than low_freq_factor");
  }
  void operator()(const FrequencyDivisors& o) const {
    expect_option(o.divisors.size() == pairs, "Rotary", "the number of divisors", o.divisors.size(),
                  "that of the pairs, " + std::to_string(pairs));
    for (const double divisor : o.divisors) expect_positive("a divisor", divisor);
  }
};

/// θ_i = base^(−2i/d), i = 0 … d/2 − 1, for d rotated elements, scaled.
/// Errors: OptionError for options that do not fit.
inline std::vector<double> rotary_frequencies(const RotaryOptions& o) {
  expect_option(o.head_dim >= 2 && o.head_dim % 2 == 0, "Rotary", "head_dim", o.head_dim,
                "even and at least 2");
  expect_option(o.rotated() >= 2 && o.rotated() % 2 == 0 && o.rotated() <= o.head_dim, "Rotary",
                "rotary_dim", o.rotated(),
                "even, at least 2 and at most head_dim = " + std::to_string(o.head_dim));
  expect_option(o.base > 0 && std::isfinite(o.base), "Rotary", "base", o.base,
                "positive and finite");
  std::vector<double> frequencies(static_cast<std::size_t>(o.rotated() / 2));
  std::visit(CheckedScaling{frequencies.size()}, o.scaling);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double exponent = -static_cast<double>(i) / static_cast<double>(frequencies.size());
    frequencies[i] = std::visit(ScaledFrequency{std::pow(o.base, exponent), i}, o.scaling);
  }
  return frequencies;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
