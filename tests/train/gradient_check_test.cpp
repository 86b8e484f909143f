#include <gtest/gtest.h>

#include <attn/nn/linear.hpp>
#include <attn/train/gradient_check.hpp>
#include <sstream>

#include "support/expect_error.hpp"

namespace {

TEST(GradientCheck, ChecksInputsAndParametersAndRestoresThem) {
  attn::Random random{1};
  attn::Linear<double> layer({.in_features = 3, .out_features = 2}, random);
  attn::Tensor<double, 2> x({4, 3});
  random.normal(x);
  const attn::Tensor<double, 2> weight = layer.weight.value(), input = x;
  layer.weight.gradient().sum().flat().setConstant(7);
  const attn::GradientReport report =
      attn::gradient_check([&](const auto& v) { return layer(v); }, layer.parameters(), {}, x);
  EXPECT_EQ(report.checked, 4 * 3 + 2 * 3 + 2);
  EXPECT_LT(report.relative(), 1e-9) << report;
  EXPECT_GT(report.largest, 0.1);
  EXPECT_EQ(layer.weight.value(), weight);
  EXPECT_EQ(x, input);
  EXPECT_TRUE(layer.weight.gradient().empty());
}

TEST(GradientCheck, DrawsSamplesOfALargeTensor) {
  attn::Random random{2};
  const attn::Linear<double> layer({.in_features = 3, .out_features = 1}, random);
  attn::Tensor<double, 2> x({40, 3});
  random.normal(x);
  const attn::GradientReport report =
      attn::gradient_check([&](const auto& v) { return layer(v); }, {}, {.samples = 7}, x);
  EXPECT_EQ(report.checked, 7);
  EXPECT_LT(report.relative(), 1e-9) << report;
}

TEST(GradientCheck, PrintsWhereTheDifferenceIsLargest) {
  const attn::GradientReport report{.difference = 0.5,
                                    .largest = 2,
                                    .checked = 10,
                                    .where = "input 0 at 3",
                                    .gradient = 1.5,
                                    .finite_difference = 2};
  std::ostringstream text;
  text << report;
  EXPECT_EQ(text.str(),
            "10 gradients, the largest 2; the largest difference 0.5, input 0 at 3: the tape has "
            "1.5, the finite difference is 2");
}

TEST(GradientCheck, RefusesOptionsThatAreNotPositive) {
  const attn::Linear<double> layer({.in_features = 3, .out_features = 1});
  const auto refused = [&](const attn::GradientCheckOptions& options) {
    const attn::Tensor<double, 2> x({1, 3});
    return sentence_of<attn::OptionError>(
        [&] { attn::gradient_check([&](const auto& v) { return layer(v); }, {}, options, x); });
  };
  EXPECT_EQ(refused({.step = 0}), "gradient_check: step = 0 must be positive and finite");
  EXPECT_EQ(refused({.samples = 0}), "gradient_check: samples = 0 must be at least 1");
}

}  // namespace
