#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/core/overlap.hpp>
#include <attn/core/workspace.hpp>
#include <string>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Errors: ShapeError if the memory of the output overlaps that of an input. What is no tensor
/// cannot overlap.
template <class T, int N, class X>
void expect_apart(const char* layer, const TensorView<T, N>& output, const X& input) {
  if constexpr (is_tensor<X>) {
    if (overlap(output, view(input)))
      throw ShapeError(std::string(layer) + ": output " + to_string(output.shape()) +
                       " must not overlap the input " + to_string(input.shape()) + " in memory");
  }
}

/// Errors: ShapeError if the shape of the output is not that of the result.
template <class T, int N>
void expect_output(const char* layer, const TensorView<T, N>& output, const Shape<N>& result) {
  if (output.shape() != result)
    throw ShapeError(std::string(layer) + ": output " + to_string(output.shape()) +
                     " must have the shape " + to_string(result));
}

/// Writes compute(), a tensor of N axes, to `output`. Intermediate tensors live in memory that the
/// thread keeps from call to call, so that a repeated call of one shape allocates nothing.
/// Errors: those of `expect_output`.
template <class T, int N, class Compute>
void compute_into(const char* layer, const TensorView<T, N>& output, Compute&& compute) {
  const Workspace workspace;
  const auto result = compute();
  expect_output(layer, output, result.shape());
  copy(view(result), output);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
