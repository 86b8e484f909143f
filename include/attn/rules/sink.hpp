#pragma once

#include <attn/core/option.hpp>
#include <attn/rules/rule.hpp>
#include <limits>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// An attention sink: a logit z_h for each head that joins the sum of the softmax and has no value
/// [OpenAI25 §2.2; Xiao23 §3.1],
///
///   P_ij = e^(S_ij) / (e^(z_h) + Σ_k e^(S_ik))
///
/// so that a query may attend to less than one key. A logit of 0 is the softmax "off by one"
/// [Miller23]. Masks, changes of scores and the scale do not act on it. `Sink{{0.5, -1}}` has a
/// logit for each query head, `Sink{0}` one for all; sinks that are combined with `&` all join the
/// sum. The log-sum-exp includes them: it is z_h where a query attends to nothing, whose output is
/// 0 as without a sink. Copies share the logits. A rule of your own has a sink if it has a
/// function `double sink(Index head) const`.
/// Errors: ShapeError if there is neither one logit nor one for each query head; OptionError for a
/// logit that is NaN or +∞, as a float too. −∞ is no sink.
class Sink {
 public:
  static constexpr bool same_for_heads = true;  // what differs is no score

  explicit Sink(std::vector<double> logits)
      : logits_(std::make_shared<const std::vector<double>>(std::move(logits))) {}
  explicit Sink(double logit) : Sink(std::vector<double>{logit}) {}

  void check(const ScoreShape& shape) const {
    const Index count = std::ssize(*logits_);
    if (count != shape.heads && count != 1)
      throw ShapeError("Sink: " + std::to_string(count) +
                       " logits must be one for each of the H = " + std::to_string(shape.heads) +
                       " heads, or one for all");
    for (const double logit : *logits_)
      expect_option(static_cast<float>(logit) < std::numeric_limits<float>::infinity(), "Sink",
                    "a logit", logit, "a number below infinity, as a float too");
  }
  double sink(Index head) const {
    return logits_->size() == 1 ? logits_->front() : (*logits_)[static_cast<std::size_t>(head)];
  }

 private:
  std::shared_ptr<const std::vector<double>> logits_;
};

}  // namespace ATTN_ABI
}  // namespace attn
