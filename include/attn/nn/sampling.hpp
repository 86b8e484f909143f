#pragma once

#include <algorithm>
#include <attn/core/option.hpp>
#include <attn/core/random.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// How a language model chooses its next tokens, with Hugging Face's names. At temperature 0 it
/// takes the most likely one (the first of equals); otherwise it draws from the probabilities p =
/// softmax(logits / temperature) of those that are left by, in this order,
///   top_k   the k most likely tokens (0: all)   [Fan18 §5.4]
///   top_p   the fewest most likely tokens whose probabilities sum to at least top_p   [Holtzman19]
///   min_p   tokens of at least min_p times the probability of the most likely one   [Nguyen24]
/// `repetition_penalty` divides the positive logits of the tokens so far by itself, and multiplies
/// the negative ones   [Keskar19 §4.1]. What is drawn depends on the seed and the prompt alone.
struct SamplingOptions {
  Index max_new_tokens;
  double temperature = 0;
  Index top_k = 0;
  double top_p = 1, min_p = 0;
  double repetition_penalty = 1;
  std::uint64_t seed = 0;
  std::vector<Index> end = {};  ///< tokens that end the text; they are part of it
  /// Called with the tokens so far and their logits, which it may change before the choice: −∞
  /// excludes a token.
  std::function<void(std::span<const Index> tokens, std::span<double> logits)> change_logits = {};

  /// Errors: OptionError naming the option that does not fit.
  void check(Index vocabulary) const {
    const char* const rule = "generate";
    const auto fraction = [&](const char* name, double p) {
      expect_option(p >= 0 && p <= 1, rule, name, p, "at least 0 and at most 1");
    };
    expect_option(max_new_tokens >= 0, rule, "max_new_tokens", max_new_tokens, "at least 0");
    expect_option(temperature >= 0 && std::isfinite(temperature), rule, "temperature", temperature,
                  "at least 0 and finite");
    expect_option(top_k >= 0, rule, "top_k", top_k, "at least 0");
    fraction("top_p", top_p);
    fraction("min_p", min_p);
    expect_option(repetition_penalty > 0 && std::isfinite(repetition_penalty), rule,
                  "repetition_penalty", repetition_penalty, "positive and finite");
    for (const Index token : end)
      expect_option(token >= 0 && token < vocabulary, rule, "end", token,
                    "a token, at least 0 and below vocabulary = " + std::to_string(vocabulary));
  }
};

namespace detail {

/// Chooses the next tokens of one text by logits in T.
template <class T>
class TokenSampler {
 public:
  explicit TokenSampler(const SamplingOptions& options)
      : options_(&options), random_{options.seed} {}

  /// The token after `tokens`, by the logits of each. Errors: OptionError if no token is possible.
  Index next(std::span<const Index> tokens, std::span<const T> logits) {
    logits_.assign(logits.begin(), logits.end());
    penalize(tokens);
    if (options_->change_logits) options_->change_logits(tokens, logits_);
    for (double& x : logits_) x = std::isnan(x) ? impossible : x;
    const auto best = std::max_element(logits_.begin(), logits_.end());
    if (best == logits_.end() || *best == impossible)
      throw OptionError("generate: no token is possible, for every logit is -inf or NaN");
    if (options_->temperature == 0 || std::isinf(*best)) return best - logits_.begin();
    keep_likely(*best);
    return draw(*best);
  }

 private:
  static constexpr double impossible = -std::numeric_limits<double>::infinity();

  void penalize(std::span<const Index> tokens) {
    const double penalty = options_->repetition_penalty;
    if (penalty == 1) return;
    penalized_.assign(logits_.size(), false);
    for (const Index token : tokens) {
      const auto t = static_cast<std::size_t>(token);
      if (penalized_[t]) continue;
      penalized_[t] = true;
      logits_[t] = logits_[t] < 0 ? logits_[t] * penalty : logits_[t] / penalty;
    }
  }
  double weight(Index token, double best) const {
    return std::exp((logits_[static_cast<std::size_t>(token)] - best) / options_->temperature);
  }
  /// The candidates, the most likely first where top_k or top_p asks for their order.
  void keep_likely(double best) {
    candidates_.resize(logits_.size());
    std::iota(candidates_.begin(), candidates_.end(), Index{0});
    const auto more_likely = [&](Index a, Index b) {
      const double x = logits_[static_cast<std::size_t>(a)];
      const double y = logits_[static_cast<std::size_t>(b)];
      return x != y ? x > y : a < b;
    };
    const auto k = static_cast<std::size_t>(options_->top_k);
    if (k > 0 && k < candidates_.size()) {
      const auto middle = candidates_.begin() + options_->top_k;
      std::nth_element(candidates_.begin(), middle, candidates_.end(), more_likely);
      candidates_.resize(k);
    }
    if (options_->top_p < 1) {
      std::sort(candidates_.begin(), candidates_.end(), more_likely);
      keep_nucleus(best);
    }
    std::erase_if(candidates_, [&](Index t) { return weight(t, best) < options_->min_p; });
  }
  void keep_nucleus(double best) {
    double all = 0;
    for (const Index token : candidates_) all += weight(token, best);
    double sum = 0;
    std::size_t count = 0;
    while (count < candidates_.size() && (count == 0 || sum < options_->top_p * all))
      sum += weight(candidates_[count++], best);
    candidates_.resize(count);
  }
  Index draw(double best) {
    double all = 0;
    for (const Index token : candidates_) all += weight(token, best);
    double left = all * random_.uniform<double>();
    Index last = candidates_.front();
    for (const Index token : candidates_) {
      const double w = weight(token, best);
      if (w > 0) last = token;
      left -= w;
      if (left < 0) return last;
    }
    return last;
  }

  const SamplingOptions* options_;
  Random random_;
  std::vector<double> logits_;
  std::vector<bool> penalized_;
  std::vector<Index> candidates_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
