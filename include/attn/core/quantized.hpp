#pragma once

#include <attn/core/storage.hpp>
#include <cmath>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {

/// A tensor whose rows, along the last axis, are integers times a scale of their own:
/// x_ij ≈ scales_i · codes_ij.
template <class Code, class T, int N>
struct Quantized {
  static_assert(N >= 2, "a quantized tensor has at least 2 axes: a scale belongs to a row");
  using Scalar = T;
  static constexpr int axes = N;

  Tensor<Code, N> codes;
  Tensor<T, N - 1> scales;

  const Shape<N>& shape() const { return codes.shape(); }
};

namespace detail {

template <int N>
Shape<N - 1> without_last(const Shape<N>& shape) {
  Shape<N - 1> shorter{};
  std::copy_n(shape.begin(), N - 1, shorter.begin());
  return shorter;
}

/// The scale s = max |x| / 127 of a row, and its codes, x / s rounded to nearest, ties to even:
/// code_at(i) is where code i lies.
template <class T, class CodeAt>
T quantize_row(const T* x, Index count, CodeAt&& code_at) {
  T largest = 0;
  bool finite = true;
  for (Index i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(x[i]));
    finite = finite && std::isfinite(x[i]);
  }
  const T scale = finite ? largest / 127 : std::numeric_limits<T>::quiet_NaN();
  for (Index i = 0; i < count; ++i) {
    const T code = scale > 0 ? std::nearbyint(x[i] / scale) : T(0);
    code_at(i) = static_cast<std::int8_t>(std::clamp(code, T(-127), T(127)));
  }
  return scale;
}

}  // namespace detail

/// `quantize<std::int8_t>(x)`: each row becomes integers from −127 to 127, and a scale. An element
/// changes by at most half a scale, 1/254 of the largest of its row.
/// Numerics: a row that holds NaN or an infinity becomes NaN as a whole.
template <std::same_as<std::int8_t> Code, class T, int N>
auto quantize(const TensorView<T, N>& x) {
  using Scalar = std::remove_const_t<T>;
  const auto source = x.copy();
  Quantized<Code, Scalar, N> result{
      Tensor<Code, N>::for_overwrite(x.shape()),
      Tensor<Scalar, N - 1>::for_overwrite(detail::without_last<N>(x.shape()))};
  const Index width = x.shape().back();
  for (Index r = 0; r < result.scales.size(); ++r)
    result.scales.data()[r] = detail::quantize_row(
        source.data() + r * width, width,
        [row = result.codes.data() + r * width](Index i) -> std::int8_t& { return row[i]; });
  return result;
}
template <std::same_as<std::int8_t> Code, class T, int N>
auto quantize(const Tensor<T, N>& x) {
  return quantize<Code>(x.view());
}

/// The numbers that a quantized tensor stands for: scale · code.
template <class Code, class T, int N>
Tensor<T, N> dequantize(const Quantized<Code, T, N>& x) {
  auto result = Tensor<T, N>::for_overwrite(x.shape());
  const Index width = x.shape().back();
  for (Index r = 0; r < x.scales.size(); ++r)
    for (Index i = 0; i < width; ++i)
      result.data()[r * width + i] =
          x.scales.data()[r] * static_cast<T>(x.codes.data()[r * width + i]);
  return result;
}

}  // namespace ATTN_ABI
}  // namespace attn
