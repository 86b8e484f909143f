#pragma once

#include <attn/core/config.hpp>
#include <attn/core/option.hpp>
#include <cmath>
#include <numbers>

namespace attn {
inline namespace ATTN_ABI {

/// lr = factor · d_model^−0.5 · min(step^−0.5, step · warmup_steps^−1.5): the rate rises linearly,
/// then falls as 1/√step. [Vaswani17 Eq.3] Steps count from 1 in every schedule, and `rate(step)`
/// depends on nothing else. Errors: OptionError for a step or an option below 1.
struct NoamSchedule {
  Index d_model, warmup_steps;
  double factor = 1;

  double operator()(Index step) const {
    expect_option(d_model >= 1, "NoamSchedule", "d_model", d_model, "at least 1");
    expect_option(warmup_steps >= 1, "NoamSchedule", "warmup_steps", warmup_steps, "at least 1");
    expect_option(step >= 1, "NoamSchedule", "step", step, "at least 1");
    const auto s = static_cast<double>(step);
    const auto w = static_cast<double>(warmup_steps);
    return factor / std::sqrt(static_cast<double>(d_model)) *
           std::min(1 / std::sqrt(s), s / (w * std::sqrt(w)));
  }
};

/// lr = peak · min(1, step / warmup_steps): the rate rises linearly, then stays constant.
/// Errors: OptionError for a step below 1, a warm-up below 0.
struct ConstantSchedule {
  double peak;
  Index warmup_steps = 0;

  double operator()(Index step) const {
    expect_option(warmup_steps >= 0, "ConstantSchedule", "warmup_steps", warmup_steps,
                  "at least 0");
    expect_option(step >= 1, "ConstantSchedule", "step", step, "at least 1");
    return step < warmup_steps
               ? peak * static_cast<double>(step) / static_cast<double>(warmup_steps)
               : peak;
  }
};

/// The rate rises linearly to `peak` at warmup_steps, falls on half a period of a cosine to
/// `minimum` at total_steps, and stays there:
/// lr = minimum + (peak − minimum) · (1 + cos(π · progress)) / 2,
/// progress = (step − warmup_steps) / (total_steps − warmup_steps). [Loshchilov17 Eq.5]
/// Errors: OptionError for a step below 1, a warm-up below 0 or not below total_steps.
struct CosineSchedule {
  double peak;
  Index warmup_steps = 0, total_steps;
  double minimum = 0;

  double operator()(Index step) const {
    expect_option(warmup_steps >= 0, "CosineSchedule", "warmup_steps", warmup_steps, "at least 0");
    expect_option(total_steps > warmup_steps, "CosineSchedule", "total_steps", total_steps,
                  "more than warmup_steps = " + std::to_string(warmup_steps));
    expect_option(step >= 1, "CosineSchedule", "step", step, "at least 1");
    if (step < warmup_steps)
      return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
    if (step >= total_steps) return minimum;
    const double progress =
        static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
    return minimum + (peak - minimum) * (1 + std::cos(std::numbers::pi * progress)) / 2;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
