#pragma once

#include <attn/core/tensor.hpp>
#include <vector>

namespace attn::inline ATTN_ABI {

/// A tensor that a layer learns.
template <class T, int N>
struct Parameter {
  Tensor<T, N> value;

  Parameter() = default;
  explicit Parameter(const Shape<N>& shape) : value(shape) {}
};

/// A parameter under its full name, "self_attn.in_proj_weight", whatever its number of axes; valid as long as the layer.
template <class T>
struct NamedParameter {
  std::string name;
  std::vector<Index> shape;
  std::span<T> value;
};

}  // namespace attn::inline ATTN_ABI
