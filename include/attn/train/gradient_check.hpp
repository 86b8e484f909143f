#pragma once

#include <attn/autograd/named_parameter.hpp>
#include <attn/autograd/tape.hpp>
#include <attn/core/option.hpp>
#include <cmath>
#include <functional>
#include <optional>
#include <ostream>

namespace attn {
inline namespace ATTN_ABI {

struct GradientCheckOptions {
  /// h of the finite difference, times max(1, |x|).
  double step = 1e-5;
  /// How many elements of each tensor are checked, drawn at random; all of a smaller tensor.
  Index samples = 50;
  /// What the tape draws from, the same for each call. Without it dropout does not act.
  std::optional<Random> dropout = std::nullopt;
};

/// How far the tape's gradients are from finite differences.
struct GradientReport {
  double difference = 0;   ///< the largest difference
  double largest = 0;      ///< the largest gradient
  Index checked = 0;       ///< the number of elements that were checked
  std::string where = {};  ///< of the largest difference: "input 1 at 37" or "linear1.weight at 5"
  double gradient = 0;     ///< the tape's, where the difference is largest
  double finite_difference = 0;

  /// difference / (1 + largest): about 1e-9 where all is well, for functions of moderate values.
  double relative() const { return difference / (1 + largest); }
  friend std::ostream& operator<<(std::ostream& to, const GradientReport& r) {
    to << r.checked << " gradients, the largest " << r.largest << "; the largest difference "
       << r.difference;
    if (!r.where.empty())
      to << ", " << r.where << ": the tape has " << r.gradient << ", the finite difference is "
         << r.finite_difference;
    return to;
  }
};

namespace detail {

/// The elements x of a tensor that L depends on, and dL/dx as the tape has it.
struct CheckedTensor {
  std::string name;
  std::function<double*()> values;  // to be changed
  std::vector<double> gradient;
};

/// (L(x + h) − L(x − h)) / 2h, the central finite difference; x is restored, also if L throws.
inline double central_difference(const std::function<double*()>& values, Index i, double step,
                                 const std::function<double()>& L) {
  const double x = values()[i];
  const double h = step * std::max(1.0, std::abs(x));
  const auto L_at = [&](double moved) {
    struct Restore {
      double& element;
      double before;
      ~Restore() { element = before; }
    } restore{values()[i], x};
    restore.element = moved;
    return L();
  };
  const double above = L_at(x + h);
  const double below = L_at(x - h);
  return (above - below) / (2 * h);
}

/// Compares gradients with finite differences, for some elements of each tensor. The first NaN ends
/// the comparison, as the largest difference.
inline GradientReport compare_gradients(const std::vector<CheckedTensor>& tensors,
                                        const std::function<double()>& L,
                                        const GradientCheckOptions& options) {
  GradientReport report;
  Random random{1998};
  for (const CheckedTensor& tensor : tensors) {
    const Index size = std::ssize(tensor.gradient);
    for (Index sample = 0; sample < std::min(size, options.samples); ++sample) {
      const Index i = size <= options.samples ? sample : random.index(size);
      const double gradient = tensor.gradient[static_cast<std::size_t>(i)];
      const double finite = central_difference(tensor.values, i, options.step, L);
      const double difference = std::abs(finite - gradient);
      ++report.checked;
      report.largest = std::max(report.largest, std::abs(gradient));
      if (difference <= report.difference) continue;
      report.difference = difference;
      report.where = tensor.name + " at " + std::to_string(i);
      report.gradient = gradient;
      report.finite_difference = finite;
      if (std::isnan(difference)) return report;
    }
  }
  return report;
}

/// A function of tensors as gradient_check sees it: L = Σ f(x…) ∘ C on a tape of its own, where the
/// cotangent C is normal and always the same.
template <class F>
class CheckedFunction {
 public:
  CheckedFunction(F& f, const std::optional<Random>& dropout) : f_(f), dropout_(dropout) {}

  template <int... N>
  double loss(const Tensor<double, N>&... inputs) const {
    return on_tape([&](Tape<double>& tape) {
      const auto y = call(tape, tape.constant(inputs)...).value();
      return y.flat().dot(cotangent_of(y).flat());
    });
  }

  /// dL/dx for every input; those of the parameters are accumulated in them.
  template <int... N>
  std::vector<std::vector<double>> gradients(const Tensor<double, N>&... inputs) const {
    return on_tape(
        [&](Tape<double>& tape) { return gradients_of(tape, tape.variable(inputs)...); });
  }

 private:
  template <class... X>
  std::vector<std::vector<double>> gradients_of(Tape<double>& tape, const X&... x) const {
    const auto y = call(tape, x...);
    tape.backward(y, cotangent_of(y.value()));
    [[maybe_unused]] const auto elements = [](const auto& dx) {
      return std::vector<double>(dx.data(), dx.data() + dx.size());
    };
    return {elements(x.grad())...};
  }
  template <class... X>
  auto call([[maybe_unused]] Tape<double>& tape, const X&... x) const {
    if constexpr (std::invocable<F&, const X&...>) return f_(x...);
    else return f_(tape, x...);
  }
  template <class Body>
  auto on_tape(const Body& body) const {
    if (!dropout_) {
      Tape<double> tape;
      return body(tape);
    }
    Random random = *dropout_;
    Tape<double> tape{random};
    return body(tape);
  }
  template <int N>
  static Tensor<double, N> cotangent_of(Tensor<double, N> y) {
    Random{2017}.normal(y);
    return y;
  }

  F& f_;
  const std::optional<Random>& dropout_;
};

}  // namespace detail

/// Compares the tape's gradients of L = Σ f(x…) ∘ C, where C is normal and always the same, with
/// central finite differences (L(x + h) − L(x − h)) / 2h in double, for each input and each
/// parameter:
///
///   std::cout << attn::gradient_check([&](const auto& x) { return layer(x, attn::Causal{}); },
///                                     layer.parameters(), {}, x);
///
/// f takes a variable for each input and gives one, or takes the tape first: f(tape, x…). The
/// parameters keep their values, and their gradients are cleared. Where f has a corner, as relu at
/// 0, the two differ. Errors: OptionError for options that are not positive.
template <class F, int... N>
GradientReport gradient_check(F&& f, const std::vector<NamedParameter<double>>& parameters,
                              const GradientCheckOptions& options, Tensor<double, N>... inputs) {
  expect_option(options.step > 0 && std::isfinite(options.step), "gradient_check", "step",
                options.step, "positive and finite");
  expect_option(options.samples >= 1, "gradient_check", "samples", options.samples, "at least 1");
  const detail::CheckedFunction function(f, options.dropout);
  for (const auto& p : parameters) p.grad.clear();
  std::vector<std::vector<double>> gradients = function.gradients(inputs...);

  std::vector<detail::CheckedTensor> tensors;
  [[maybe_unused]] const auto add_input = [&](auto& input) {
    const std::size_t k = tensors.size();
    tensors.push_back(
        {"input " + std::to_string(k), [&input] { return input.data(); }, std::move(gradients[k])});
  };
  (add_input(inputs), ...);
  for (const auto& p : parameters) {
    const auto gradient = p.grad.values();
    tensors.push_back(
        {p.name, [&p] { return p.edit().data(); }, {gradient.begin(), gradient.end()}});
    p.grad.clear();
  }
  return detail::compare_gradients(
      tensors, [&] { return function.loss(inputs...); }, options);
}
/// Checks the gradients of a function without parameters.
template <class F, int... N>
GradientReport gradient_check(F&& f, const Tensor<double, N>&... inputs) {
  return gradient_check(f, std::vector<NamedParameter<double>>(), GradientCheckOptions{},
                        inputs...);
}

}  // namespace ATTN_ABI
}  // namespace attn
