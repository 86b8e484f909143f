#pragma once

#include <attn/core/tensor.hpp>
#include <initializer_list>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Braces N deep around values.
template <class T, int N>
struct NestedBraces {
  using type = std::initializer_list<typename NestedBraces<T, N - 1>::type>;
};
template <class T>
struct NestedBraces<T, 1> {
  using type = std::initializer_list<T>;
};
template <class T, int N>
using Nested = typename NestedBraces<T, N>::type;

/// Copies braces into a view whose shape they must have.
template <class T, int N>
void copy_braces(const Nested<T, N>& braces, const TensorView<T, N>& target) {
  if (static_cast<Index>(braces.size()) != target.shape()[0])
    throw ShapeError("tensor: braces around " + std::to_string(braces.size()) +
                     " entries stand beside braces around " + std::to_string(target.shape()[0]));
  if constexpr (N == 1) {
    std::copy(braces.begin(), braces.end(), target.data());
  } else {
    Index i = 0;
    for (const auto& inner : braces) copy_braces<T, N - 1>(inner, target[i++]);
  }
}

/// Writes the extents of braces and of the first braces within them.
template <class T, int N>
void measure_braces(const Nested<T, N>& braces, Index* extents) {
  *extents = static_cast<Index>(braces.size());
  if constexpr (N > 1)
    if (braces.size() > 0) measure_braces<T, N - 1>(*braces.begin(), extents + 1);
}

/// A tensor from its values; the shape of the braces is its shape. Errors: ShapeError where they
/// are ragged.
template <class T, int N>
Tensor<T, N> tensor_of(const Nested<T, N>& braces) {
  Shape<N> shape{};
  measure_braces<T, N>(braces, shape.data());
  Tensor<T, N> result(shape);
  copy_braces<T, N>(braces, result.view());
  return result;
}

}  // namespace detail

/// A tensor of up to four axes from its values: `tensor<float>({1, 2, 3})`,
/// `tensor<float>({{1, 2}, {3, 4}})` and so on. Braces around a single value count as an axis too:
/// `{{1}, {2}}` is 2×1. Errors: ShapeError where the braces are ragged.
template <class T>
Tensor<T, 1> tensor(std::initializer_list<T> braces) {
  return detail::tensor_of<T, 1>(braces);
}
// The nesting is spelled out so that the deeper overload is the more specialized one.
template <class T>
Tensor<T, 2> tensor(std::initializer_list<std::initializer_list<T>> braces) {
  return detail::tensor_of<T, 2>(braces);
}
template <class T>
Tensor<T, 3> tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> braces) {
  return detail::tensor_of<T, 3>(braces);
}
template <class T>
Tensor<T, 4> tensor(
    std::initializer_list<std::initializer_list<std::initializer_list<std::initializer_list<T>>>>
        braces) {
  return detail::tensor_of<T, 4>(braces);
}

}  // namespace ATTN_ABI
}  // namespace attn
