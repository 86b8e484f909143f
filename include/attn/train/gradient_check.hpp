#pragma once

#include <attn/autograd/tape.hpp>
#include <functional>
#include <ostream>

namespace attn {
inline namespace ATTN_ABI {

struct GradientCheckOptions {
  double step = 1e-5;  ///< h
  Index samples =
      50;  ///< numbers of each tensor that are looked at, drawn; all of a tensor that has no more
  std::optional<Random> dropout = std::
      nullopt;  ///< what the tape draws from, the same each time; without one dropout does not act
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
    to << r.checked << " gradients, the largest " << r.largest << "; the largest difference "
       << r.gap;
    if (!r.where.empty())
      to << ", " << r.where << ": the tape has " << r.exact << ", the difference quotient is "
         << r.numeric;
    return to;
  }
};

/// Numbers x that L depends on, and dL/dx as the tape has it.
struct DifferentiatedNumbers {
  std::string name;
  Index size;
  std::function<double*()> values;  ///< to be changed
  std::vector<double> gradient;
};

/// (L(x + h) − L(x − h)) / 2h against the gradients, for some of the numbers.
inline GradientReport compare_with_differences(const std::vector<DifferentiatedNumbers>& all,
                                               const std::function<double()>& L,
                                               const GradientCheckOptions& options) {
  GradientReport report;
  Random random{1998};
  for (const DifferentiatedNumbers& of : all)
    for (Index sample = 0; sample < std::min(of.size, options.samples); ++sample) {
      const Index i = of.size <= options.samples ? sample : random.index(of.size);
      const double x = of.values()[i], h = options.step * std::max(1.0, std::abs(x)),
                   exact = of.gradient[static_cast<std::size_t>(i)];
      const auto at = [&](double moved) {
        struct Restore {
          double& number;
          double before;
          ~Restore() { number = before; }
        } restore{of.values()[i], x};
        restore.number = moved;
        return L();
      };
      const double above = at(x + h), below = at(x - h);
      const double numeric = (above - below) / (2 * h), gap = std::abs(numeric - exact);
      ++report.checked;
      report.largest = std::max(report.largest, std::abs(exact));
      if (gap <= report.gap) continue;  // a NaN is the largest
      report.gap = gap, report.where = of.name + " at " + std::to_string(i), report.exact = exact,
      report.numeric = numeric;
      if (std::isnan(gap)) return report;
    }
  return report;
}

/// Holds what the tape says of L = Σ f(x…) ∘ C, C normal and always the same, against (L(x + h) −
/// L(x − h)) / 2h in double, for each input and each parameter:
///
///   std::cout << attn::gradient_check([&](const auto& x) { return layer(x, attn::Causal{}); },
///   layer.parameters(), {}, x);
///
/// f takes a variable for each input and gives one; or the tape first, f(tape, x…). The parameters
/// are as they were afterwards, their gradients cleared. Where f has a corner, as relu at 0, the
/// two differ. Errors: OptionError for options that are not positive.
template <class F, int... N>
GradientReport gradient_check(F&& f, const std::vector<NamedParameter<double>>& parameters,
                              const GradientCheckOptions& options, Tensor<double, N>... inputs) {
  if (!(options.step > 0 && std::isfinite(options.step)))
    throw OptionError("gradient_check: step = " + std::to_string(options.step) +
                      " must be positive and finite");
  if (options.samples < 1)
    throw OptionError("gradient_check: samples = " + std::to_string(options.samples) +
                      " must be at least 1");
  const auto call = [&]([[maybe_unused]] Tape<double>& tape, const auto&... x) {
    if constexpr (std::invocable<F&, decltype(x)...>) return f(x...);
    else return f(tape, x...);
  };
  const auto cotangent_of = [](auto y) {
    Random{2017}.normal(y);
    return y;
  };
  const auto with_tape = [&](auto&& body) {
    Random draws = options.dropout.value_or(Random{});
    std::optional<Tape<double>> tape;
    options.dropout ? tape.emplace(draws) : tape.emplace();
    return body(*tape);
  };

  for (const auto& p : parameters) p.grad.clear();
  std::vector<DifferentiatedNumbers> all;
  with_tape([&](Tape<double>& tape) {
    const auto variables = std::tuple(tape.variable(inputs)...);
    const auto y = std::apply([&](const auto&... x) { return call(tape, x...); }, variables);
    tape.backward(y, cotangent_of(y.value()));
    const auto add = [&](auto& input, const auto& variable) {
      const double* const gradient = variable.grad().data();
      all.push_back({"input " + std::to_string(all.size()),
                     input.size(),
                     [&input] { return input.data(); },
                     {gradient, gradient + input.size()}});
    };
    std::apply([&](const auto&... variable) { (add(inputs, variable), ...); }, variables);
    return 0;
  });
  for (const auto& p : parameters) {
    const auto gradient = p.grad.values();
    all.push_back({p.name,
                   std::ssize(gradient),
                   [&p] { return p.edit().data(); },
                   {gradient.begin(), gradient.end()}});
    p.grad.clear();
  }
  return compare_with_differences(
      all,
      [&] {
        return with_tape([&](Tape<double>& tape) {
          const auto y = call(tape, tape.constant(inputs)...).value();
          return y.flat().dot(cotangent_of(y).flat());
        });
      },
      options);
}
/// Of a function without parameters.
template <class F, int... N>
GradientReport gradient_check(F&& f, const Tensor<double, N>&... inputs) {
  return gradient_check(f, std::vector<NamedParameter<double>>(), GradientCheckOptions{},
                        inputs...);
}

}  // namespace ATTN_ABI
}  // namespace attn
