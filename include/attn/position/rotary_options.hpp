#pragma once

#include <algorithm>
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

/// Scales the frequencies θ_i of the base.
/// Errors: OptionError naming what does not fit.
struct ScaleFrequencies {
  std::vector<double>& theta;

  static void expect_positive(const char* name, double value) {
    expect_option(value > 0 && std::isfinite(value), "Rotary", name, value, "positive and finite");
  }
  void operator()(const std::monostate&) const {}
  void operator()(const LinearScaling& o) const {
    expect_positive("factor", o.factor);
    for (double& frequency : theta) frequency /= o.factor;
  }
  void operator()(const Llama3Scaling& o) const {
    expect_positive("factor", o.factor);
    expect_positive("low_freq_factor", o.low_freq_factor);
    expect_positive("original_max_length", o.original_max_length);
    expect_option(o.high_freq_factor > o.low_freq_factor && std::isfinite(o.high_freq_factor),
                  "Rotary", "high_freq_factor", o.high_freq_factor,
                  "finite and more than low_freq_factor");
    const double width = o.high_freq_factor - o.low_freq_factor;
    for (double& frequency : theta) {
      const double periods = o.original_max_length * frequency / (2 * std::numbers::pi);
      const double s = std::clamp((periods - o.low_freq_factor) / width, 0.0, 1.0);
      frequency = (1 - s) * frequency / o.factor + s * frequency;
    }
  }
  void operator()(const FrequencyDivisors& o) const {
    expect_option(o.divisors.size() == theta.size(), "Rotary", "the number of divisors",
                  o.divisors.size(), "that of the pairs, " + std::to_string(theta.size()));
    for (std::size_t i = 0; i < theta.size(); ++i) {
      expect_positive("a divisor", o.divisors[i]);
      theta[i] /= o.divisors[i];
    }
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
  std::vector<double> theta(static_cast<std::size_t>(o.rotated() / 2));
  const auto pairs = static_cast<double>(theta.size());
  for (std::size_t i = 0; i < theta.size(); ++i)
    theta[i] = std::pow(o.base, -static_cast<double>(i) / pairs);
  std::visit(ScaleFrequencies{theta}, o.scaling);
  return theta;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
