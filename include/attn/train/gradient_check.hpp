#pragma once

#include <attn/autograd/tape.hpp>
#include <ostream>

namespace attn::inline ATTN_ABI {

struct GradientCheckOptions {
  double step = 1e-5;                            ///< h
  Index samples = 50;                            ///< numbers of each tensor that are looked at; all of a tensor that has no more
  std::optional<Random> dropout = std::nullopt;  ///< what the tape draws from, the same each time; without one dropout does not act
};

/// How far the tape's gradients are from difference quotients.
struct GradientReport {
  double gap = 0;          ///< the largest difference
  double largest = 0;      ///< the largest gradient
  Index checked = 0;       ///< how many numbers were looked at
  std::string where = {};  ///< of the largest difference: "input 1 at 37" or "linear1.weight at 5"
  double exact = 0, numeric = 0;

  /// gap / (1 + largest): about 1e-9 where all is well, for functions of moderate numbers.
  double relative() const { return gap / (1 + largest); }
  friend std::ostream& operator<<(std::ostream& to, const GradientReport& r) {
    return to << r.checked << " gradients, the largest " << r.largest << "; the largest difference " << r.gap
              << (r.where.empty() ? "" : ", " + r.where + ": the tape has ")
              << (r.where.empty() ? "" : std::to_string(r.exact) + ", the difference quotient is " + std::to_string(r.numeric));
  }
};

/// Holds what the tape says of L = Σ f(x…) ∘ C, C normal and always the same, against (L(x + h) − L(x − h)) / 2h in double, for each input and
/// each parameter:
///
///   std::cout << attn::gradient_check([&](const auto& x) { return layer(x, attn::Causal{}); }, layer.parameters(), {}, x);
///
/// f takes a variable for each input and gives one; or the tape first, f(tape, x…). The parameters are as they were afterwards, their
/// gradients cleared. Where f has a corner, as relu at 0, the two differ.
template <class F, int... N>
GradientReport gradient_check(F&& f, const std::vector<NamedParameter<double>>& parameters, const GradientCheckOptions& options, Tensor<double, N>... inputs) {
  const auto call = [&]([[maybe_unused]] Tape<double>& tape, const auto&... x) {
    if constexpr (std::invocable<F&, decltype(x)...>) return f(x...);
    else return f(tape, x...);
  };
  const auto cotangent_of = [](const auto& y) {
    auto c = y;
    Random{2017}.normal(c);
    return c;
  };
  const auto with_tape = [&](auto&& body) {
    Random draws = options.dropout.value_or(Random{});
    if (options.dropout) {
      Tape<double> tape{draws};
      return body(tape);
    }
    Tape<double> tape;
    return body(tape);
  };
  const auto objective = [&] {
    return with_tape([&](Tape<double>& tape) {
      const auto y = call(tape, tape.constant(inputs)...).value();
      return y.flat().dot(cotangent_of(y).flat());
    });
  };

  GradientReport report;
  const auto compare = [&](const std::string& name, Index size, auto&& number, auto&& exact) {
    const Index every = std::max<Index>(1, size / options.samples);
    for (Index i = 0; i < size; i += every) {
      const double x = number(i), h = options.step * std::max(1.0, std::abs(x));
      number(i) = x + h;
      const double above = objective();
      number(i) = x - h;
      const double below = objective();
      number(i) = x;
      const double numeric = (above - below) / (2 * h), gap = std::abs(numeric - exact(i));
      ++report.checked;
      report.largest = std::max(report.largest, std::abs(exact(i)));
      if (gap <= report.gap) continue;
      report.gap = gap, report.where = name + " at " + std::to_string(i), report.exact = exact(i), report.numeric = numeric;
    }
  };

  for (const auto& p : parameters) p.grad.clear();
  with_tape([&](Tape<double>& tape) {
    const auto variables = std::tuple(tape.variable(inputs)...);
    const auto y = std::apply([&](const auto&... x) { return call(tape, x...); }, variables);
    tape.backward(y, cotangent_of(y.value()));
    Index number = 0;
    const auto check_input = [&](auto& input, const auto& variable) {
      compare(
          "input " + std::to_string(number++), input.size(), [&](Index i) -> double& { return input.data()[i]; },
          [&](Index i) { return variable.grad().data()[i]; });
    };
    std::apply([&](const auto&... variable) { (check_input(inputs, variable), ...); }, variables);
    return 0;
  });
  for (const auto& p : parameters)
    compare(
        p.name, static_cast<Index>(p.value.size()), [&](Index i) -> double& { return p.edit()[static_cast<std::size_t>(i)]; },
        [&](Index i) { return p.grad.values()[static_cast<std::size_t>(i)]; });
  for (const auto& p : parameters) p.grad.clear();
  return report;
}
/// Of a function without parameters.
template <class F, int... N>
GradientReport gradient_check(F&& f, const Tensor<double, N>&... inputs) {
  return gradient_check(f, std::vector<NamedParameter<double>>(), GradientCheckOptions{}, inputs...);
}

}  // namespace attn::inline ATTN_ABI
