#pragma once

#include <attn/core/tensor.hpp>
#include <initializer_list>

namespace attn {
inline namespace ATTN_ABI {

/// Braces N deep around numbers.
template <class T, int N>
struct Nested {
  using type = std::initializer_list<typename Nested<T, N - 1>::type>;
};
template <class T>
struct Nested<T, 1> {
  using type = std::initializer_list<T>;
};
template <class T, int N>
using NestedBraces = typename Nested<T, N>::type;

/// Copies braces into a view whose shape they must have.
template <class T, int N>
void copy_braces(const NestedBraces<T, N>& braces, const TensorView<T, N>& to) {
  if (static_cast<Index>(braces.size()) != to.shape()[0])
    throw ShapeError("tensor: braces around " + std::to_string(braces.size()) +
                     " entries stand beside braces around " + std::to_string(to.shape()[0]));
  if constexpr (N == 1) {
    std::copy(braces.begin(), braces.end(), to.data());
  } else {
    Index i = 0;
    for (const auto& inner : braces) copy_braces<T, N - 1>(inner, to[i++]);
  }
}

/// A tensor from its values, by the shape of the braces alone. Errors: ShapeError where they are
/// ragged.
template <class T, int N>
Tensor<T, N> tensor_of(const NestedBraces<T, N>& braces) {
  Shape<N> shape{};
  const auto measure = [&]<int Depth>(const auto& self, const NestedBraces<T, Depth>& level,
                                      std::integral_constant<int, Depth>) -> void {
    shape[static_cast<std::size_t>(N - Depth)] = static_cast<Index>(level.size());
    if constexpr (Depth > 1)
      if (level.size() > 0) self(self, *level.begin(), std::integral_constant<int, Depth - 1>{});
  };
  measure(measure, braces, std::integral_constant<int, N>{});
  Tensor<T, N> result(shape);
  copy_braces<T, N>(braces, result.view());
  return result;
}

/// `tensor<float>({1, 2, 3})`, `tensor<float>({{1, 2}, {3, 4}})` and so on, up to four axes. Braces
/// around a single number count as an axis too: `{{1}, {2}}` is 2×1. (The nesting is spelled out so
/// that the deeper overload is the more special one.)
template <class T>
Tensor<T, 1> tensor(std::initializer_list<T> braces) {
  return tensor_of<T, 1>(braces);
}
template <class T>
Tensor<T, 2> tensor(std::initializer_list<std::initializer_list<T>> braces) {
  return tensor_of<T, 2>(braces);
}
template <class T>
Tensor<T, 3> tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> braces) {
  return tensor_of<T, 3>(braces);
}
template <class T>
Tensor<T, 4> tensor(
    std::initializer_list<std::initializer_list<std::initializer_list<std::initializer_list<T>>>>
        braces) {
  return tensor_of<T, 4>(braces);
}

}  // namespace ATTN_ABI
}  // namespace attn
