#include <gtest/gtest.h>
#include <attn/train/schedule.hpp>

#include "support/expect_error.hpp"

namespace {

using attn::Index;

TEST(NoamSchedule, IsThePapersEquationThree) {
  const attn::NoamSchedule rate{.d_model = 512, .warmup_steps = 4000};
  for (const Index step : {1, 2, 100, 3999, 4000, 4001, 100000}) {
    const auto s = double(step);
    EXPECT_NEAR(rate(step),
                std::pow(512, -0.5) * std::min(std::pow(s, -0.5), s * std::pow(4000, -1.5)), 1e-18)
        << step;
  }
  EXPECT_NEAR(rate(1), 1.746928107421711e-07, 1e-21);
  EXPECT_NEAR(rate(4000), 6.987712429686844e-04, 1e-18) << "the peak";
  EXPECT_NEAR((attn::NoamSchedule{.d_model = 512, .warmup_steps = 4000, .factor = 2}(4000)),
              2 * 6.987712429686844e-04, 1e-18);
}

TEST(ConstantSchedule, GoesUpInALineAndStays) {
  const attn::ConstantSchedule rate{.peak = 0.5, .warmup_steps = 4};
  EXPECT_EQ(rate(1), 0.125);
  EXPECT_EQ(rate(3), 0.375);
  EXPECT_EQ(rate(4), 0.5);
  EXPECT_EQ(rate(1000000), 0.5);
  EXPECT_EQ(attn::ConstantSchedule{.peak = 0.5}(1), 0.5);
}

TEST(CosineSchedule, GoesUpInALineAndDownOnACosine) {
  const attn::CosineSchedule rate{
      .peak = 1, .warmup_steps = 10, .total_steps = 110, .minimum = 0.2};
  EXPECT_DOUBLE_EQ(rate(1), 0.1);
  EXPECT_DOUBLE_EQ(rate(9), 0.9);
  EXPECT_DOUBLE_EQ(rate(10), 1);
  EXPECT_DOUBLE_EQ(rate(35), 0.2 + 0.8 * (1 + std::sqrt(0.5)) / 2) << "an eighth of the period";
  EXPECT_DOUBLE_EQ(rate(60), 0.6) << "halfway down";
  EXPECT_DOUBLE_EQ(rate(110), 0.2);
  EXPECT_DOUBLE_EQ(rate(111), 0.2);
  EXPECT_DOUBLE_EQ((attn::CosineSchedule{.peak = 3, .total_steps = 2}(1)), 1.5);
}

TEST(ScheduleErrors, NameWhatIsWrong) {
  const auto sentence = [](auto rate, Index step) {
    return sentence_of<attn::OptionError>([&] { rate(step); });
  };
  EXPECT_EQ(sentence(attn::NoamSchedule{.d_model = 8, .warmup_steps = 4}, 0),
            "NoamSchedule: step = 0 must be at least 1");
  EXPECT_EQ(sentence(attn::NoamSchedule{.d_model = 0, .warmup_steps = 4}, 1),
            "NoamSchedule: d_model = 0 must be at least 1");
  EXPECT_EQ(sentence(attn::NoamSchedule{.d_model = 8, .warmup_steps = 0}, 1),
            "NoamSchedule: warmup_steps = 0 must be at least 1");
  EXPECT_EQ(sentence(attn::ConstantSchedule{.peak = 1}, -3),
            "ConstantSchedule: step = -3 must be at least 1");
  EXPECT_EQ(sentence(attn::ConstantSchedule{.peak = 1, .warmup_steps = -1}, 1),
            "ConstantSchedule: warmup_steps = -1 must be at least 0");
  EXPECT_EQ(sentence(attn::CosineSchedule{.peak = 1, .total_steps = 5}, 0),
            "CosineSchedule: step = 0 must be at least 1");
  EXPECT_EQ(sentence(attn::CosineSchedule{.peak = 1, .warmup_steps = 5, .total_steps = 5}, 1),
            "CosineSchedule: total_steps = 5 must be more than warmup_steps = 5");
  EXPECT_EQ(sentence(attn::CosineSchedule{.peak = 1, .warmup_steps = -1, .total_steps = 5}, 1),
            "CosineSchedule: warmup_steps = -1 must be at least 0");
}

}  // namespace
