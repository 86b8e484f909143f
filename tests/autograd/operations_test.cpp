#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train/gradient_check.hpp>

#include "support/tensors.hpp"

// Every operation against difference quotients in double.
namespace {

using attn::Index, attn::Tensor, attn::Variable;

constexpr double bound = 1e-7;

/// Numbers away from 0, where relu has its corner.
template <int N>
Tensor<double, N> away_from_zero(attn::Random& random, const attn::Shape<N>& shape) {
  auto x = normal<double, N>(random, shape);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += x.data()[i] < 0 ? -0.01 : 0.01;
  return x;
}

TEST(Gradients, OfElementwiseOperations) {
  attn::Random random{1};
  const auto x = away_from_zero<2>(random, {5, 7}), y = away_from_zero<2>(random, {5, 7});
  EXPECT_LT(attn::gradient_check([](const auto& a) { return relu(a); }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return gelu(a); }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return gelu_tanh(a); }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return silu(a); }, x).relative(), bound);
  EXPECT_LT(
      attn::gradient_check([](const auto& a, const auto& b) { return a + b; }, x, y).relative(),
      bound);
  EXPECT_LT(
      attn::gradient_check([](const auto& a, const auto& b) { return a * b; }, x, y).relative(),
      bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return a * a + a; }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check([&](const auto& a) { return y * (a + y); }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return sum(a * a); }, x).relative(), bound);
  EXPECT_LT(attn::gradient_check(
                [](const auto& a) {
                  return reshape(a, {7, 5, 1});
                },
                x)
                .relative(),
            bound);
  EXPECT_LT(attn::gradient_check([](const auto& a) { return rows(a, 1, 4) * rows(a, 2, 5); }, x)
                .relative(),
            bound);
  const auto batch = normal<double, 3>(random, {3, 5, 7});
  EXPECT_LT(attn::gradient_check([](const auto& a, const auto& b) { return add_to_each(a, b) * a; },
                                 batch, x)
                .relative(),
            bound);
  EXPECT_LT(
      attn::gradient_check([&](const auto& a) { return add_to_each(a, x) * a; }, batch).relative(),
      bound);
}

TEST(Gradients, OfRotaryPositions) {
  attn::Random random{3};
  const auto x = normal<double, 4>(random, {2, 2, 5, 6});
  for (const auto layout : {attn::RotaryLayout::half, attn::RotaryLayout::interleaved}) {
    const attn::Rotary rotary({.head_dim = 6, .layout = layout});
    EXPECT_LT(attn::gradient_check([&](const auto& a) { return rotary(a, 3) * a; }, x).relative(),
              bound);
  }
}

TEST(Gradients, OfCrossEntropy) {
  attn::Random random{2};
  const auto z = normal<double, 3>(random, {2, 5, 9});
  Tensor<Index, 2> targets({2, 5});
  for (Index i = 0; i < targets.size(); ++i) targets.data()[i] = i == 3 ? 4 : random.index(9);
  for (const double smoothing : {0.0, 0.1, 1.0})
    for (const Index ignored : {Index(-100), Index(4)})
      EXPECT_LT(attn::gradient_check(
                    [&](const auto& a) {
                      return attn::cross_entropy(
                          a, targets, {.ignore_index = ignored, .label_smoothing = smoothing});
                    },
                    z)
                    .relative(),
                bound);
}

TEST(Gradients, OfDropout) {
  attn::Random random{5};
  const attn::Dropout dropout(0.3);
  const auto x = normal<double, 2>(random, {13, 7});
  const auto drop = [&](const auto& a) { return dropout(a) * a; };
  EXPECT_LT(attn::gradient_check(drop, {}, {.dropout = attn::Random{7}}, x).relative(), bound);
}

TEST(Gradients, CheckSeesAWrongOne) {
  attn::Random random{14};
  const auto wrong = [](const Variable<double, 2>& x) {
    return x.tape().record(
        relu(x.value()), [dx = x.gradient()](Tensor<double, 2> dy) { dx->add(std::move(dy)); }, x);
  };
  const auto report = attn::gradient_check(wrong, away_from_zero<2>(random, {3, 4}));
  EXPECT_GT(report.relative(), 0.1);
  EXPECT_NE(report.where.find("input 0 at "), std::string::npos);
}

TEST(Gradients, CheckSeesANaNAndColumnsThatAreWrong) {
  const auto squared = [](const auto& change) {
    return [change](const Variable<double, 2>& x) {
      return x.tape().record(
          x.value() * x.value(),
          [change, x = x.kept(), dx = x.gradient()](Tensor<double, 2> dy) {
            auto g = std::move(dy) * *x;
            g.flat() *= 2;
            change(g);
            dx->add(std::move(g));
          },
          x);
    };
  };
  attn::Random random{15};
  const auto x = normal<double, 2>(random, {50, 50});
  EXPECT_LT(attn::gradient_check(squared([](auto&) {}), x).relative(), bound);
  EXPECT_FALSE(attn::gradient_check(squared([](auto& g) { g(0, 1) = std::nan(""); }),
                                    normal<double, 2>(random, {2, 2}))
                   .relative() < bound);
  EXPECT_GT(
      attn::gradient_check(squared([](auto& g) { g.matrix().rightCols(49) *= 2; }), x).relative(),
      0.1);
}

TEST(Gradients, CheckLeavesParametersAsTheyWere) {
  attn::Random random{16};
  attn::Linear<double> layer({.in_features = 2, .out_features = 2}, random);
  const auto before = layer.weight.value();
  int calls = 0;
  const auto throws = [&](const Variable<double, 2>& x) {
    if (++calls == 8) throw std::runtime_error("enough");
    return layer(x);
  };
  EXPECT_THROW(
      attn::gradient_check(throws, layer.parameters(), {}, normal<double, 2>(random, {1, 2})),
      std::runtime_error);
  EXPECT_EQ(layer.weight.value(), before);
  EXPECT_THROW(attn::gradient_check(throws, layer.parameters(), {.samples = 0}, before),
               attn::OptionError);
  EXPECT_THROW(attn::gradient_check(throws, layer.parameters(), {.step = 0}, before),
               attn::OptionError);
}

}  // namespace
