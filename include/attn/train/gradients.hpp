#pragma once

#include <attn/autograd/named_parameter.hpp>
#include <attn/core/option.hpp>
#include <attn/math/elementwise.hpp>
#include <attn/train/parts.hpp>
#include <cmath>
#include <set>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The gradients that have been accumulated, without the empty ones. A parameter that is given
/// twice counts once.
template <class T>
std::vector<std::span<T>> accumulated_gradients(const std::vector<NamedParameter<T>>& parameters) {
  std::vector<std::span<T>> gradients;
  std::set<const T*> places;
  for (const auto& p : parameters)
    if (!p.grad.empty() && places.insert(p.value.data()).second)
      gradients.push_back(p.grad.values());
  return gradients;
}
template <class T>
std::vector<Index> sizes_of(const std::vector<std::span<T>>& ranges) {
  std::vector<Index> sizes;
  for (const auto& range : ranges) sizes.push_back(static_cast<Index>(range.size()));
  return sizes;
}

/// Σ g² in double, as 16 sums beside each other that do not wait for one another.
template <class T>
double sum_of_squares(std::span<const T> g) {
  constexpr std::size_t lanes = 16;
  double sums[lanes] = {};
  const auto add_square = [&](std::size_t lane, T x) {
    sums[lane] += static_cast<double>(x) * static_cast<double>(x);
  };
  std::size_t i = 0;
  for (; i + lanes <= g.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) add_square(lane, g[i + lane]);
  for (; i < g.size(); ++i) add_square(0, g[i]);
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

/// Σ g² of every chunk of the gradients, in their order.
template <class T>
std::vector<double> squares_of_chunks(const std::vector<NamedParameter<T>>& parameters) {
  const auto gradients = accumulated_gradients(parameters);
  const std::vector<Part> parts = parts_of(sizes_of(gradients));
  std::vector<double> squares(parts.size());
  parallel_for(static_cast<Index>(parts.size()), [&](Index i) {
    const Part& part = parts[static_cast<std::size_t>(i)];
    const std::span<const T> gradient = gradients[static_cast<std::size_t>(part.range)];
    squares[static_cast<std::size_t>(i)] = sum_of_squares(gradient.subspan(
        static_cast<std::size_t>(part.begin), static_cast<std::size_t>(part.count)));
  });
  return squares;
}

}  // namespace detail

/// dL/dθ ← factor · dL/dθ for every parameter. The factor 1/n makes the mean of gradients that were
/// accumulated over n batches.
template <class T>
void scale_gradients(const std::vector<NamedParameter<T>>& parameters, double factor) {
  const auto gradients = detail::accumulated_gradients(parameters);
  const auto scale = [factor](const auto& g) { return g * factor; };
  detail::for_each_part(detail::sizes_of(gradients), [&](std::size_t k, Index begin, Index count) {
    T* const g = gradients[k].data() + begin;
    ATTN_DISPATCH(transform<T>(g, count, scale, g));
  });
}

/// √Σ g² over all gradients as one vector, summed in double and deterministic for any number of
/// threads; 0 if there are none.
template <class T>
double gradient_norm(const std::vector<NamedParameter<T>>& parameters) {
  double sum = 0;
  for (const double square : detail::squares_of_chunks(parameters)) sum += square;
  return std::sqrt(sum);
}

/// g ← g · min(1, max_norm / (norm + 1e-6)) for all gradients, as PyTorch's `clip_grad_norm_`
/// [Pascanu13]; returns their norm before. A norm that is not finite is no error, as there: an
/// infinite one makes the gradients 0 and NaN, and NaN makes all of them NaN. Check what is
/// returned to leave out such a step. Errors: OptionError if max_norm is negative or NaN.
template <class T>
double clip_gradient_norm(const std::vector<NamedParameter<T>>& parameters, double max_norm) {
  expect_option(max_norm >= 0, "clip_gradient_norm", "max_norm", max_norm, "at least 0");
  const double norm = gradient_norm(parameters);
  const double factor = max_norm / (norm + 1e-6);
  if (!(factor >= 1)) scale_gradients(parameters, factor);
  return norm;
}

}  // namespace ATTN_ABI
}  // namespace attn
