#pragma once

#include <Eigen/Core>
#include <attn/core/tensor.hpp>
#include <concepts>
#include <string>

namespace attn {
inline namespace ATTN_ABI {

/// As what weights, keys and values are stored that are computed with as float or double.
enum class Storage {
  float32,  ///< for weights: floats, in the order in which products read them
  bfloat16,
  float16,
  int8,  ///< integers of 8 bits and a scale: for weights of 32 in a row, for keys of a row
  int4,  ///< for weights: integers of 4 bits, a scale and a minimum for 32 in a row
};

/// Numbers of 16 bits: the upper half of a float, and IEEE 754's binary16. Conversions to them
/// round to nearest, ties to even; every one of them is a float. They are for storing: nothing
/// computes with them.
using bfloat16 = Eigen::bfloat16;
using float16 = Eigen::half;

inline std::string to_string(Storage storage) {
  switch (storage) {
    case Storage::float32: return "float32";
    case Storage::bfloat16: return "bfloat16";
    case Storage::float16: return "float16";
    case Storage::int8: return "int8";
    case Storage::int4: break;
  }
  return "int4";
}

/// A number that is stored as one type and computed with as another.
template <class X>
concept StoredNumber = std::same_as<X, bfloat16> || std::same_as<X, float16>;

/// The elements of a tensor or view as another type, each rounded to nearest, ties to even:
/// `cast<bfloat16>(x)`.
template <class To, class T, int N>
Tensor<To, N> cast(const TensorView<T, N>& x) {
  const auto source = x.copy();
  auto result = Tensor<To, N>::for_overwrite(x.shape());
  std::transform(source.data(), source.data() + source.size(), result.data(),
                 [](const auto& value) { return static_cast<To>(value); });
  return result;
}
template <class To, class T, int N>
Tensor<To, N> cast(const Tensor<T, N>& x) {
  return cast<To>(x.view());
}

}  // namespace ATTN_ABI
}  // namespace attn
