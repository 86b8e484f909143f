#pragma once

#include <algorithm>
#include <attn/core/option.hpp>
#include <attn/core/tensor.hpp>
#include <cmath>
#include <numeric>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Tokens that begin, end and fill up a sequence; at most `max_length` are written. With
/// `num_beams` = 1 decoding is greedy; the paper has 4, and a length penalty of α = 0.6.
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

/// A sequence on its way: what it has written, the sum of its tokens' log-probabilities, and whose
/// sequence it continues.
struct Hypothesis {
  std::vector<Index> tokens{};
  double log_probability = 0;
  Index parent = 0;

  /// log P(Y) / lp(Y), lp(Y) = ((5 + |Y|) / 6)^α   [Wu16 Eq.14]
  double score(double alpha) const {
    return log_probability / std::pow((5.0 + static_cast<double>(tokens.size())) / 6, alpha);
  }
};

/// The log-probabilities of the next token: logits − log Σ e^logits, in double. A NaN counts as
/// impossible.
template <class T>
std::vector<double> log_probabilities(std::span<const T> logits) {
  std::vector<double> result(logits.begin(), logits.end());
  const double none = -std::numeric_limits<double>::infinity();
  for (double& x : result) x = std::isnan(x) ? none : x;
  const double most = result.empty() ? none : *std::max_element(result.begin(), result.end());
  double sum = 0;
  for (double& x : result) x -= most, sum += std::exp(x);
  const double log_sum = std::log(sum);
  for (double& x : result) x -= log_sum;
  return result;
}

/// The beam of one sentence: the best hypotheses that go on, `num_beams` of them, and those that
/// have ended. A hypothesis ends where its end token is among the `num_beams` best continuations;
/// the search, when as many have ended   [Wu16 §7]. With one it is greedy.
class Beam {
 public:
  explicit Beam(const GenerateOptions& options) : options_(&options), alive_(1) {}

  const std::vector<Hypothesis>& alive() const { return alive_; }
  bool is_done() const { return alive_.empty() || ended_.size() >= size(); }
  /// Of those that have ended the one with the best score, of equals the first; where none has, the
  /// best there is.
  const Hypothesis& best() const {
    if (ended_.empty()) return alive_.front();
    const auto score = [&](const Hypothesis& h) { return h.score(options_->length_penalty); };
    return *std::max_element(ended_.begin(), ended_.end(),
                             [&](const auto& a, const auto& b) { return score(a) < score(b); });
  }

  /// Every hypothesis that goes on by every token; `next[h]` are the log-probabilities after
  /// hypothesis h. Of equals the first is taken.
  void extend(const std::vector<std::vector<double>>& next) {
    struct Candidate {
      double log_probability;
      std::size_t parent;
      Index token;
    };
    std::vector<Candidate> candidates;
    for (std::size_t h = 0; h < alive_.size(); ++h)
      for (std::size_t v = 0; v < next[h].size(); ++v)
        candidates.push_back({alive_[h].log_probability + next[h][v], h, static_cast<Index>(v)});
    const auto better = [](const Candidate& a, const Candidate& b) {
      if (a.log_probability != b.log_probability) return a.log_probability > b.log_probability;
      return std::pair(a.parent, a.token) < std::pair(b.parent, b.token);
    };
    const std::size_t enough =
        std::min(2 * size(), candidates.size());  // one of each hypothesis may end
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(enough),
                      candidates.end(), better);
    std::vector<Hypothesis> alive;
    for (std::size_t i = 0; i < enough; ++i) {
      Hypothesis h{alive_[candidates[i].parent].tokens, candidates[i].log_probability,
                   static_cast<Index>(candidates[i].parent)};
      h.tokens.push_back(candidates[i].token);
      if (candidates[i].token != options_->end && alive.size() < size())
        alive.push_back(std::move(h));
      else if (candidates[i].token == options_->end && i < size()) ended_.push_back(std::move(h));
    }
    alive_ = std::move(alive);
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(options_->num_beams); }

  const GenerateOptions* options_;
  std::vector<Hypothesis> alive_, ended_;  // alive_: the best first
};

/// Writes B sequences by beam search, or greedily where the beam is 1. `next(tokens, parents)`
/// gives the logits (B·num_beams, V) after each hypothesis has got its token; hypothesis h
/// continues what hypothesis parents[h] was, and those of a sentence lie side by side.
/// Returns (B, max_length): the start token left out, `pad` after the end token.
/// Errors: those of the options' check.
template <class Next>
Tensor<Index, 2> generate(Index batch, const GenerateOptions& options, Next&& next) {
  options.check();
  const Index K = options.num_beams;
  std::vector<Beam> beams(static_cast<std::size_t>(batch), Beam(options));
  std::vector<Index> tokens(static_cast<std::size_t>(batch * K), options.start),
      parents(tokens.size());
  std::iota(parents.begin(), parents.end(), Index{0});
  for (Index step = 0;
       step < options.max_length &&
       !std::all_of(beams.begin(), beams.end(), [](const Beam& b) { return b.is_done(); });
       ++step) {
    const auto logits = next(tokens, parents);
    for (Index b = 0; b < batch; ++b) {
      Beam& beam = beams[static_cast<std::size_t>(b)];
      if (beam.is_done()) continue;
      std::vector<std::vector<double>> rows;
      for (Index h = 0; h < static_cast<Index>(beam.alive().size()); ++h) {
        const auto row = logits[b * K + h];
        rows.push_back(
            log_probabilities(std::span(row.data(), static_cast<std::size_t>(row.size()))));
      }
      beam.extend(rows);
      for (Index h = 0; h < static_cast<Index>(beam.alive().size()); ++h) {
        const Hypothesis& hypothesis = beam.alive()[static_cast<std::size_t>(h)];
        const auto at = static_cast<std::size_t>(b * K + h);
        tokens[at] = hypothesis.tokens.back(), parents[at] = b * K + hypothesis.parent;
      }
    }
  }
  Tensor<Index, 2> written({batch, options.max_length});
  written.flat().setConstant(options.pad);
  for (Index b = 0; b < batch; ++b) {
    const std::vector<Index>& best = beams[static_cast<std::size_t>(b)].best().tokens;
    std::copy(best.begin(), best.end(), written[b].data());
  }
  return written;
}

}  // namespace ATTN_ABI
}  // namespace attn
