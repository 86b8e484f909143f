#pragma once

#include <algorithm>
#include <attn/core/option.hpp>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The tokens that begin, end and pad a sequence, and how many are generated at most. With
/// `num_beams` = 1 the search is greedy; the paper uses 4, and a length penalty of α = 0.6.
struct GenerateOptions {
  Index start, end, max_length;
  Index pad = 0;
  Index num_beams = 1;
  double length_penalty = 0.6;

  /// Errors: OptionError for a beam below 1, a length below 0, a penalty that is not finite.
  void check() const {
    expect_option(max_length >= 0, "generate", "max_length", max_length, "at least 0");
    expect_option(num_beams >= 1, "generate", "num_beams", num_beams, "at least 1");
    expect_option(std::isfinite(length_penalty), "generate", "length_penalty", length_penalty,
                  "finite");
  }
};

/// The log-probabilities of the next token: logits − log Σ e^logits, in double. A NaN counts as
/// impossible.
template <class T>
std::vector<double> log_probabilities(std::span<const T> logits) {
  constexpr double none = -std::numeric_limits<double>::infinity();
  std::vector<double> result(logits.begin(), logits.end());
  for (double& x : result) x = std::isnan(x) ? none : x;
  const double maximum = result.empty() ? none : *std::max_element(result.begin(), result.end());
  double sum = 0;
  for (const double x : result) sum += std::exp(x - maximum);
  const double log_sum = std::log(sum);
  for (double& x : result) x = x - maximum - log_sum;
  return result;
}

namespace detail {

/// A partial sequence: its tokens, the sum of their log-probabilities, and the hypothesis that it
/// extends.
struct Hypothesis {
  std::vector<Index> tokens{};
  double log_probability = 0;
  Index parent = 0;

  /// log P(Y) / lp(Y), lp(Y) = ((5 + |Y|) / 6)^α   [Wu16 Eq.14]
  double score(double alpha) const {
    return log_probability / std::pow((5.0 + static_cast<double>(tokens.size())) / 6, alpha);
  }
};

/// The beam of one sentence: the `num_beams` best hypotheses that are alive, and those that have
/// ended. A hypothesis ends if its end token is among the `num_beams` best continuations; the
/// search ends when as many hypotheses have ended   [Wu16 §7]. With one beam it is greedy.
class Beam {
 public:
  explicit Beam(const GenerateOptions& options) : options_(&options), alive_(1) {}

  const std::vector<Hypothesis>& alive() const { return alive_; }
  bool is_done() const { return alive_.empty() || ended_.size() >= size(); }
  /// The hypothesis with the best score among those that have ended, the first of equals. If none
  /// has ended, the best that is alive.
  const Hypothesis& best() const {
    if (ended_.empty()) return alive_.front();
    const auto score = [&](const Hypothesis& h) { return h.score(options_->length_penalty); };
    return *std::max_element(ended_.begin(), ended_.end(),
                             [&](const auto& a, const auto& b) { return score(a) < score(b); });
  }

  /// Extends every hypothesis that is alive by every token, and keeps the best; `next[h]` are the
  /// log-probabilities after hypothesis h. Among equals the first is kept.
  template <class Row>
  void extend(const std::vector<Row>& next) {
    std::vector<Hypothesis> alive;
    const std::vector<Candidate> best = best_candidates(next);
    for (std::size_t i = 0; i < best.size(); ++i) {
      const bool ends = best[i].token == options_->end;
      if (ends && i >= size()) continue;
      if (!ends && alive.size() >= size()) continue;
      Hypothesis h{alive_[best[i].parent].tokens, best[i].log_probability,
                   static_cast<Index>(best[i].parent)};
      h.tokens.push_back(best[i].token);
      (ends ? ended_ : alive).push_back(std::move(h));
    }
    alive_ = std::move(alive);
  }

 private:
  struct Candidate {
    double log_probability;
    std::size_t parent;
    Index token;
  };
  /// The 2 · num_beams best, in order: each hypothesis has one continuation that ends.
  template <class Row>
  std::vector<Candidate> best_candidates(const std::vector<Row>& next) const {
    std::vector<Candidate> all;
    for (std::size_t h = 0; h < alive_.size(); ++h)
      for (std::size_t v = 0; v < next[h].size(); ++v)
        all.push_back({alive_[h].log_probability + next[h][v], h, static_cast<Index>(v)});
    const auto better = [](const Candidate& a, const Candidate& b) {
      if (a.log_probability != b.log_probability) return a.log_probability > b.log_probability;
      return std::pair(a.parent, a.token) < std::pair(b.parent, b.token);
    };
    const std::size_t count = std::min(2 * size(), all.size());
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(all.begin(), end, all.end(), better);
    all.resize(count);
    return all;
  }
  std::size_t size() const { return static_cast<std::size_t>(options_->num_beams); }

  const GenerateOptions* options_;
  std::vector<Hypothesis> alive_, ended_;  // alive_: the best first
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
