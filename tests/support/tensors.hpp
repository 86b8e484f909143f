#pragma once

#include <attn/core/random.hpp>
#include <attn/core/tensor.hpp>
#include <cstring>

/// A tensor of standard normal numbers.
template <class T, int N>
attn::Tensor<T, N> normal(attn::Random& random, const attn::Shape<N>& shape) {
  attn::Tensor<T, N> result(shape);
  random.normal(result);
  return result;
}

/// Bitwise equality, NaN and the sign of zero included.
template <class T, int N>
bool same_bits(const attn::Tensor<T, N>& a, const attn::Tensor<T, N>& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(T)) == 0);
}
