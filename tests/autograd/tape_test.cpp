#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tape, attn::Tensor, attn::Variable;

Tensor<double, 1> numbers(std::initializer_list<double> values) {
  Tensor<double, 1> x({Index(values.size())});
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

/// Its backward adds a gradient of another shape.
struct WrongShape {
  Tensor<double, 1> forward(const Tensor<double, 1>&) const { return numbers({1, 1}); }
  void backward(const Tensor<double, 1>&, const attn::Input<double, 1>& x) const {
    x.add(numbers({1, 2, 3}));
  }
};

TEST(Tape, AccumulatesTheGradientsOfAllUsesOfAVariable) {
  Tape<double> tape;
  const auto x = tape.variable(numbers({2, -3})), y = tape.variable(numbers({5, 7}));
  tape.backward(x * y + x + x, numbers({1, 10}));
  EXPECT_EQ(x.grad(), numbers({7, 90}));
  EXPECT_EQ(y.grad(), numbers({2, -30}));
  tape.backward(x * x, numbers({1, 1}));  // a second pass adds to the first
  EXPECT_EQ(x.grad(), numbers({7 + 4, 90 - 6}));
}

TEST(Tape, KeepsTheGradientOfAnIntermediateResultThatIsHeld) {
  Tape<double> tape;
  const auto x = tape.variable(numbers({2, -3}));
  const auto squared = x * x;
  tape.backward(sum(squared * squared));
  EXPECT_EQ(squared.grad(), numbers({8, 18}));
  EXPECT_EQ(x.grad(), numbers({32, -108}));
}

TEST(Tape, RecordsNothingForConstants) {
  Tape<double> tape;
  const auto x = tape.variable(numbers({2})), unused = tape.variable(numbers({1})),
             constant = tape.constant(numbers({3}));
  EXPECT_FALSE((constant * constant).needs_gradient());
  const auto kept = (constant + constant).shared_value();
  EXPECT_EQ(kept.use_count(), 1);  // nothing but this holds it
  tape.backward(x * constant + constant);
  EXPECT_EQ(x.grad(), numbers({3}));
  EXPECT_EQ(unused.grad(), numbers({0}));
  EXPECT_EQ(
      sentence_of<attn::Error>([&] { constant.grad(); }),
      "Variable: a constant (1) has no gradient; use tape.variable to create a variable that has "
      "one");
}

TEST(Tape, FreesEachStepAfterItsBackward) {
  Tape<double> tape;
  const auto x = tape.variable(numbers({2}));
  std::weak_ptr<const Tensor<double, 1>> inner;
  {
    const auto y = x * x;
    inner = y.shared_value();
    const auto z = y * y;
    EXPECT_FALSE(inner.expired());
    tape.backward(z);
  }
  EXPECT_TRUE(inner.expired());
  EXPECT_EQ(x.grad(), numbers({32}));
}

TEST(Tape, SaysInOneSentenceWhatWasWrong) {
  Tape<double> tape, other;
  const auto x = tape.variable(numbers({2, 3})), y = x * x;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { tape.backward(y); }),
            "Tape: backward needs a scalar, or a cotangent for each element of (2)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { tape.backward(y, numbers({1})); }),
            "Tape: the cotangent (1) must have the shape of the variable to differentiate, (2)");
  EXPECT_EQ(sentence_of<attn::Error>([&] {
              other.backward(y, numbers({1, 1}));
            }),
            "Tape: backward needs a variable of this tape, not of another");
  const auto constant = tape.constant(numbers({1, 1}));
  EXPECT_EQ(sentence_of<attn::Error>([&] {
              tape.backward(constant + constant, numbers({1, 1}));
            }),
            "Tape: backward needs the result of an operation on variables, or on parameters of "
            "layers that are not const");
  tape.backward(y, numbers({1, 1}));
  EXPECT_EQ(sentence_of<attn::Error>([&] {
              tape.backward(y, numbers({1, 1}));
            }),
            "Tape: backward needs variables that were computed since the last backward pass, which "
            "frees the steps that it has differentiated");
  EXPECT_EQ(x.grad(), numbers({4, 6}));
  EXPECT_EQ(sentence_of<attn::Error>([&] { sum(y * y); }),
            "Tape: an operation needs variables that were computed since the last backward pass, "
            "which frees the steps that it has differentiated");
  EXPECT_EQ(sentence_of<attn::Error>([&] {
              tape.backward(x, numbers({1, 1}));
            }),
            "Tape: backward needs the result of an operation, not a leaf variable");
  EXPECT_EQ(sentence_of<attn::Error>([&] {
              x* other.variable(numbers({1, 1}));
            }),
            "Tape: an operation needs variables of one tape");
}

TEST(Tape, RefusesAVariableOfATapeThatHasEnded) {
  const std::string ended =
      "Tape: a variable (2) must be used while its tape exists, which has ended";
  std::optional<Tape<double>> tape(std::in_place);
  const auto x = tape->variable(numbers({2, 3}));
  const auto y = x * x;
  tape.emplace();  // another tape, at the same address
  EXPECT_EQ(y.value(), numbers({4, 9}));
  EXPECT_EQ(sentence_of<attn::Error>([&] { sum(y); }), ended);
  EXPECT_EQ(sentence_of<attn::Error>([&] { tape->variable(numbers({1, 1})) * x; }), ended);
  EXPECT_EQ(sentence_of<attn::Error>([&] { tape->backward(y, numbers({1, 1})); }), ended);
}

TEST(Tape, IsEmptyAfterAnOperationThatThrew) {
  Tape<double> tape;
  const auto x = tape.variable(numbers({2, 3}));
  const auto wrong = attn::apply(WrongShape{}, x);
  const auto before = x * x;
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              tape.backward(before + wrong, numbers({1, 1}));
            }),
            "Gradient: the gradient (3) must have the shape of its tensor, (2)");
  const auto u = tape.variable(numbers({5, 5}));
  const Tensor<double, 1> kept = x.grad();
  tape.backward(u * u, numbers({1, 1}));
  EXPECT_EQ(x.grad(), kept);
  EXPECT_EQ(u.grad(), numbers({10, 10}));
}

TEST(Tape, GivesParametersTheirGradientsAndFrozenLayersNone) {
  attn::Random random{1};
  attn::Linear<double> first({.in_features = 3, .out_features = 4}, random),
      second({.in_features = 4, .out_features = 2}, random);
  const attn::Linear<double>& frozen = second;
  Tape<double> tape;
  const auto x = tape.variable(normal<double, 2>(random, {5, 3}));
  const auto loss = sum(frozen(first(x)));
  tape.backward(loss);
  for (const auto& p : first.parameters()) EXPECT_FALSE(p.grad.empty()) << p.name;
  for (const auto& p : second.parameters()) EXPECT_TRUE(p.grad.empty()) << p.name;
  const auto first_gradient = first.parameters()[0].grad.values();
  const std::vector<double> once(first_gradient.begin(), first_gradient.end());
  const auto again = sum(frozen(first(x)));
  tape.backward(again);  // gradients add up
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_DOUBLE_EQ(first_gradient[i], 2 * once[i]);
  for (const auto& p : first.parameters()) p.grad.clear();
  EXPECT_TRUE(first.parameters()[0].grad.empty());
  EXPECT_EQ(first.parameters()[0].grad.values()[0], 0);
}

TEST(Tape, DropsOnlyWithARandomAndByItsSeed) {
  const attn::Dropout dropout(0.25);
  Tensor<double, 2> ones({300, 400});
  ones.flat().setOnes();
  const auto dropped = [&](attn::Random random) {
    Tape<double> tape{random};
    return dropout(tape.constant(ones)).value();
  };
  Tape<double> inference;
  EXPECT_EQ(dropout(inference.constant(ones)).value(), ones);
  const Tensor<double, 2> y = dropped(attn::Random{1});
  EXPECT_EQ(y, dropped(attn::Random{1}));
  EXPECT_FALSE(y == dropped(attn::Random{2}));
  EXPECT_NEAR(double((y.flat().array() == 0).count()) / 120000, 0.25,
              4 * std::sqrt(0.25 * 0.75 / 120000));
  EXPECT_EQ((y.flat().array() == 0).count() + (y.flat().array() == 1 / 0.75).count(), 120000);
  attn::Random random{1};
  Tape<double> tape{random};
  EXPECT_FALSE(dropout(tape.constant(ones)).value() ==
               dropout(tape.constant(ones)).value());  // another mask each time
}

TEST(Tape, DropsOfSomeRowsWhatItDropsOfAll) {
  const attn::Dropout dropout(0.4);
  const auto some_rows = [](const Tensor<double, 3>& x, const std::vector<Index>& rows) {
    Tensor<double, 3> some({2, std::ssize(rows), 5});
    for (Index b = 0; b < 2; ++b)
      for (Index i = 0; i < std::ssize(rows); ++i)
        for (Index e = 0; e < 5; ++e) some(b, i, e) = x(b, rows[std::size_t(i)], e);
    return some;
  };
  attn::Random random{1};
  const auto x = normal<double, 3>(random, {2, 7, 5}), d = normal<double, 3>(random, {2, 7, 5});
  attn::Random all_draws{4};
  Tape<double> all_tape(all_draws);
  const auto all_x = all_tape.variable(x);
  const auto all = dropout(all_x);
  all_tape.backward(all, d);
  for (const std::vector<Index>& rows : {std::vector<Index>{1, 4, 6}, {0, 1, 2, 3, 4, 5, 6}, {}}) {
    attn::Random draws{4};
    Tape<double> tape(draws);
    const auto here = tape.variable(some_rows(x, rows));
    const auto y = dropout(here, attn::RowPositions(rows, 7));
    tape.backward(y, some_rows(d, rows));
    EXPECT_EQ(y.value(), some_rows(all.value(), rows));
    EXPECT_EQ(here.grad(), some_rows(all_x.grad(), rows));
    EXPECT_EQ(draws.counter, all_draws.counter);
  }
  EXPECT_NE(all.value(), x);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              dropout(all_x, std::vector<Index>{0, 1});
            }),
            "Dropout: 2 positions must be one for each of the L = 7 rows");
}

/// x + y, or that of several y.
struct Sums {
  Tensor<double, 1> forward(const Tensor<double, 1>& x, const Tensor<double, 1>& y) const {
    return x + y;
  }
  template <class... Others>
  auto forward_each(const Tensor<double, 1>& x, const Others&... others) const {
    return std::array{forward(x, std::get<0>(others))...};
  }
  void backward(const Tensor<double, 1>& dy, const attn::Input<double, 1>& x,
                const attn::Input<double, 1>& y) const {
    x.add(dy);
    y.add(dy);
  }
};

TEST(Tape, RecordsEachOfSeveralOperationsIfAnyInputIsAVariable) {
  Tape<double> tape;
  const auto y = tape.variable(numbers({5, 7}));
  const auto both = attn::apply_each(Sums{}, numbers({1, 2}), std::tuple(y), std::tuple(y * y));
  tape.backward(both[0] + both[1], numbers({1, 10}));
  EXPECT_EQ(y.grad(), numbers({11, 150}));
}

TEST(Tape, DroppedWeightsHaveTheirMean) {
  const Index L = 64, S = 200;
  Tensor<float, 3> q({1, L, 4}), k({1, S, 4}), v({1, S, 2});
  v.flat().setOnes();
  attn::Random random{3};
  Tape<float> tape{random};
  const auto o = attn::ScaledDotProductAttention{{.dropout = 0.4}}(
      tape.constant(q), tape.constant(k), tape.constant(v));
  EXPECT_NEAR(o.value().flat().mean(), 1, 4 * std::sqrt(0.4 / 0.6 / double(L * S)));
  EXPECT_GT((o.value().flat().array() - 1).abs().maxCoeff(), 0.01f);
}

}  // namespace
