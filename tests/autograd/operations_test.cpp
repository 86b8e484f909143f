#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/train/gradient_check.hpp>

#include "support/tensors.hpp"

// Every operation against finite differences in double.
namespace {

using attn::Index, attn::Tensor, attn::Variable;

constexpr double bound = 1e-7;

/// Elements away from 0, where relu has its corner.
template <int N>
Tensor<double, N> away_from_zero(attn::Random& random, const attn::Shape<N>& shape) {
  auto x = normal<double, N>(random, shape);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += x.data()[i] < 0 ? -0.01 : 0.01;
  return x;
}

/// The relative error of the gradients of f.
template <class F, class... X>
double error_of(F&& f, const X&... x) {
  return attn::gradient_check(std::forward<F>(f), x...).relative();
}

TEST(Gradients, OfFunctions) {
  attn::Random random{1};
  const auto x = away_from_zero<2>(random, {5, 7});
  EXPECT_LT(error_of([](const auto& a) { return relu(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return gelu(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return gelu_tanh(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return silu(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return exp(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return log(a * a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return tanh(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return sigmoid(3 * a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return sqrt(a * a + 1); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return abs(a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return softmax(a) * a; }, x), bound);
}

TEST(Gradients, OfArithmetic) {
  attn::Random random{1};
  const auto x = away_from_zero<2>(random, {5, 7}), y = away_from_zero<2>(random, {5, 7});
  EXPECT_LT(error_of([](const auto& a, const auto& b) { return a + b; }, x, y), bound);
  EXPECT_LT(error_of([](const auto& a, const auto& b) { return a - b; }, x, y), bound);
  EXPECT_LT(error_of([](const auto& a, const auto& b) { return a * b; }, x, y), bound);
  EXPECT_LT(error_of([](const auto& a, const auto& b) { return a / (b * b + 1); }, x, y), bound);
  EXPECT_LT(error_of([](const auto& a) { return a * a + a; }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return -a - a; }, x), bound);
  EXPECT_LT(error_of([&](const auto& a) { return y * (a + y); }, x), bound);
  EXPECT_LT(error_of([&](const auto& a) { return y / (a * a + 1) - (a - y) / y; }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return 2 * a + 1 - (3 - a) * a / 4; }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return 2 / (a * a + 0.5); }, x), bound);
}

TEST(Gradients, OfBroadcastOperands) {
  attn::Random random{1};
  const auto batch = normal<double, 3>(random, {3, 5, 7});
  const auto matrix = normal<double, 2>(random, {5, 7});
  const auto row = normal<double, 1>(random, {7});
  const auto all = [](const auto& a, const auto& b, const auto& c) {
    return (a + b) * c - (c - a) / (b * b + 1) + b * c;
  };
  EXPECT_LT(error_of(all, batch, matrix, row), bound);
  EXPECT_LT(error_of(all, row, batch, matrix), bound);
  EXPECT_LT(error_of([&](const auto& a) { return (a + matrix) * a; }, batch), bound);
  EXPECT_LT(error_of([&](const auto& a) { return (batch - a) * a; }, row), bound);
}

TEST(Gradients, OfReductionsAndRearrangements) {
  attn::Random random{1};
  const auto x = normal<double, 2>(random, {5, 7});
  const auto y = normal<double, 3>(random, {3, 5, 7});
  EXPECT_LT(error_of([](const auto& a) { return sum(a * a); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return mean(a * a); }, x), bound);
  for (int axis = 0; axis < 3; ++axis) {
    EXPECT_LT(error_of([=](const auto& a) { return sum(a * a, axis); }, y), bound);
    EXPECT_LT(error_of([=](const auto& a) { return mean(a * a, axis); }, y), bound);
    EXPECT_LT(error_of([=](const auto& a) { return concatenate(axis, a, a * a, a); }, y), bound);
    EXPECT_LT(error_of([=](const auto& a) { return slice(a, axis, 1, 3) * 2; }, y), bound);
  }
  EXPECT_LT(error_of([](const auto& a) { return reshape(a * a, {7, 5, 1}); }, x), bound);
  EXPECT_LT(error_of([](const auto& a) { return permute(a * a, {2, 0, 1}); }, y), bound);
  EXPECT_LT(error_of([](const auto& a) { return slice(a, 0, 1, 4) * slice(a, 0, 2, 5); }, x),
            bound);
}

TEST(Gradients, OfMatmul) {
  attn::Random random{1};
  const auto product = [](const auto& a, const auto& b) { return matmul(a, b); };
  EXPECT_LT(error_of(product, normal<double, 2>(random, {5, 7}), normal<double, 2>(random, {7, 3})),
            bound);
  EXPECT_LT(error_of(product, normal<double, 4>(random, {2, 3, 5, 7}),
                     normal<double, 4>(random, {2, 3, 7, 4})),
            bound);
  EXPECT_LT(
      error_of(product, normal<double, 3>(random, {2, 5, 7}), normal<double, 2>(random, {7, 3})),
      bound);
  EXPECT_LT(
      error_of(product, normal<double, 2>(random, {5, 7}), normal<double, 3>(random, {2, 7, 3})),
      bound);
}

TEST(Gradients, OfLosses) {
  attn::Random random{1};
  const auto x = normal<double, 2>(random, {5, 7}), y = normal<double, 2>(random, {5, 7});
  EXPECT_LT(error_of([](const auto& a, const auto& b) { return attn::mse_loss(a, b); }, x, y),
            bound);
  const auto of_probabilities = [](const auto& a, const auto& b) {
    return attn::binary_cross_entropy(sigmoid(a), sigmoid(b));
  };
  const auto of_logits = [](const auto& a, const auto& b) {
    return attn::binary_cross_entropy_with_logits(a, sigmoid(b));
  };
  EXPECT_LT(error_of(of_probabilities, x, y), bound);
  EXPECT_LT(error_of(of_logits, x, y), bound);
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

/// relu, with a backward that forgets it.
struct WrongRelu {
  Tensor<double, 2> forward(const Tensor<double, 2>& x) const { return attn::relu(x); }
  void backward(Tensor<double, 2> dy, const attn::Input<double, 2>& x) const {
    x.add(std::move(dy));
  }
};

TEST(Gradients, CheckSeesAWrongOne) {
  attn::Random random{14};
  const auto report = attn::gradient_check(
      [](const auto& x) { return attn::apply(WrongRelu{}, x); }, away_from_zero<2>(random, {3, 4}));
  EXPECT_GT(report.relative(), 0.1);
  EXPECT_NE(report.where.find("input 0 at "), std::string::npos);
}

/// x², with a gradient that is changed.
template <class Change>
struct Square {
  Change change;
  Tensor<double, 2> forward(const Tensor<double, 2>& x) const { return x * x; }
  void backward(Tensor<double, 2> dy, const attn::Input<double, 2>& x) const {
    Tensor<double, 2> dx = std::move(dy) * x.value() * 2;
    change(dx);
    x.add(std::move(dx));
  }
};
template <class Change>
Square(Change) -> Square<Change>;

TEST(Gradients, CheckSeesANaNAndColumnsThatAreWrong) {
  const auto error = [](const auto& change, const Tensor<double, 2>& x) {
    return error_of([&](const auto& a) { return attn::apply(Square{change}, a); }, x);
  };
  attn::Random random{15};
  const auto x = normal<double, 2>(random, {50, 50});
  EXPECT_LT(error([](auto&) {}, x), bound);
  EXPECT_FALSE(error([](auto& g) { g(0, 1) = std::nan(""); }, normal<double, 2>(random, {2, 2})) <
               bound);
  EXPECT_GT(error([](auto& g) { g.matrix().rightCols(49) *= 2; }, x), 0.1);
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
