#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/core/option.hpp>
#include <attn/simd/simd.hpp>
#include <attn/train/parts.hpp>
#include <cmath>
#include <set>

namespace attn {
inline namespace ATTN_ABI {

/// The gradients that are there, without the empty ones.
template <class T>
std::vector<std::span<T>> arrived_gradients(const std::vector<NamedParameter<T>>& parameters) {
  std::vector<std::span<T>> gradients;
  std::set<const T*> places;  // a parameter that is given twice counts once
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

/// dL/dθ ← factor · dL/dθ for every parameter: of n batches whose gradients were added up, with the
/// factor 1/n, the mean.
template <class T>
void scale_gradients(const std::vector<NamedParameter<T>>& parameters, double factor) {
  using V = simd::Vector<T>;
  const auto gradients = arrived_gradients(parameters);
  for_each_part(sizes_of(gradients), [&](std::size_t k, Index begin, Index count) {
    T* const g = gradients[k].data() + begin;
    simd::for_each_packet<T>(count, [&](Index i, Index n) {
      simd::store(g + i, n, simd::load<V>(g + i, n, 0) * V(factor));
    });
  });
}

/// √Σ g² over all gradients as one vector, summed in double; the same bits for any number of
/// threads. 0 if there are none.
template <class T>
double gradient_norm(const std::vector<NamedParameter<T>>& parameters) {
  const auto gradients = arrived_gradients(parameters);
  const std::vector<Part> parts = parts_of(sizes_of(gradients));
  std::vector<double> squares(parts.size());
  parallel_for(static_cast<Index>(parts.size()), [&](Index p) {
    const auto& [range, begin, count] = parts[static_cast<std::size_t>(p)];
    const T* const g = gradients[static_cast<std::size_t>(range)].data() + begin;
    constexpr Index lanes = 16;  // sums side by side, which do not wait for each other
    double sums[lanes] = {};
    Index i = 0;
    for (; i + lanes <= count; i += lanes)
      for (Index lane = 0; lane < lanes; ++lane)
        sums[lane] += static_cast<double>(g[i + lane]) * static_cast<double>(g[i + lane]);
    for (; i < count; ++i) sums[0] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    for (const double sum : sums) squares[static_cast<std::size_t>(p)] += sum;
  });
  double sum = 0;
  for (const double part : squares) sum += part;
  return std::sqrt(sum);
}

/// g ← g · min(1, max_norm / (norm + 1e-6)) for all gradients, and gives their norm before, as
/// PyTorch's `clip_grad_norm_` [Pascanu13]. A norm that is not finite is no error, as there: an
/// infinite one makes the gradients 0 and NaN, NaN makes all of them NaN; who would rather leave
/// out such a step looks at what is returned. Errors: OptionError if max_norm is negative or NaN.
template <class T>
double clip_gradient_norm(const std::vector<NamedParameter<T>>& parameters, double max_norm) {
  expect_option(max_norm >= 0, "clip_gradient_norm", "max_norm", max_norm, "at least 0");
  const double norm = gradient_norm(parameters), factor = max_norm / (norm + 1e-6);
  if (!(factor >= 1)) scale_gradients(parameters, factor);
  return norm;
}

}  // namespace ATTN_ABI
}  // namespace attn
