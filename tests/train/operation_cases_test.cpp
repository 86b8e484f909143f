#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>

#include "support/plain_attention.hpp"

// Operations of variables against PyTorch's values and gradients in float64.
namespace {

using attn::Tensor, attn::Variable;

const attn::SafeTensors& cases() {
  static const attn::SafeTensors file =
      attn::load_safetensors(ATTN_TESTS_DATA "/operation_cases.safetensors");
  return file;
}
template <int N>
Tensor<double, N> of(const std::string& name) {
  return cases().get<double, N>(name);
}

/// The inputs of the cases as variables of a tape, and the comparison with a case.
struct Case {
  attn::Tape<double> tape;
  Variable<double, 3> x = tape.variable(of<3>("x"));
  Variable<double, 2> y = tape.variable(of<2>("y"));
  Variable<double, 1> z = tape.variable(of<1>("z"));
  Variable<double, 3> w = tape.variable(of<3>("w"));

  template <int N>
  void expect(const std::string& name, const Variable<double, N>& value) {
    EXPECT_LT(largest_gap(value.value(), of<N>(name + ".value")), 1e-13) << name;
    tape.backward(value, of<N>(name + ".weight"));
    expect_gradient(name + ".dx", x);
    expect_gradient(name + ".dy", y);
    expect_gradient(name + ".dz", z);
    expect_gradient(name + ".dw", w);
  }
  template <int N>
  void expect_gradient(const std::string& name, const Variable<double, N>& input) const {
    const Tensor<double, N> none(input.shape());
    const Tensor<double, N> expected = cases().contains(name) ? of<N>(name) : none;
    EXPECT_LT(largest_gap(input.grad(), expected), 1e-12) << name;
  }
};

/// Compares function(case) with the case of that name.
template <class F>
void expect_case(const std::string& name, F&& function) {
  Case inputs;
  inputs.expect(name, function(inputs));
}

TEST(OperationCases, AreThoseOfPyTorch) {
  expect_case("add", [](auto& c) { return c.x + c.y; });
  expect_case("subtract", [](auto& c) { return c.z - c.x; });
  expect_case("multiply", [](auto& c) { return c.x * c.y; });
  expect_case("divide", [](auto& c) { return c.x / c.z; });
  expect_case("numbers", [](auto& c) { return 2 * c.x - 3 + (1 - c.x) / 4 + 5 / (c.x + 7); });
  expect_case("exp", [](auto& c) { return exp(c.x); });
  expect_case("log", [](auto& c) { return log(abs(c.x)); });
  expect_case("tanh", [](auto& c) { return tanh(c.x); });
  expect_case("sigmoid", [](auto& c) { return sigmoid(c.x); });
  expect_case("sqrt", [](auto& c) { return sqrt(abs(c.x)); });
  expect_case("matmul", [](auto& c) { return matmul(c.x, c.w); });
  expect_case("matmul_shared", [](auto& c) { return matmul(c.x, permute(c.y, {1, 0})); });
  expect_case("softmax", [](auto& c) { return softmax(c.x); });
  expect_case("sum", [](auto& c) { return sum(c.x); });
  expect_case("sum_1", [](auto& c) { return sum(c.x, 1); });
  expect_case("mean", [](auto& c) { return mean(c.x); });
  expect_case("mean_0", [](auto& c) { return mean(c.x, 0); });
  expect_case("reshape", [](auto& c) { return reshape(c.x, {6, 10}); });
  expect_case("permute", [](auto& c) { return permute(c.x, {2, 0, 1}); });
  expect_case("slice", [](auto& c) { return slice(c.x, 1, 1, 3); });
  expect_case("concatenate", [](auto& c) { return concatenate(1, c.x, c.x * c.x); });
  expect_case("mse_loss", [](auto& c) { return mse_loss(c.x, c.y); });
  expect_case("binary_cross_entropy",
              [](auto& c) { return binary_cross_entropy(sigmoid(c.x), sigmoid(c.y)); });
  expect_case("binary_cross_entropy_with_logits",
              [](auto& c) { return binary_cross_entropy_with_logits(c.x, sigmoid(c.y)); });
}

}  // namespace
