#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/position/rotary.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What Rotary calls for a variable: dx is dy turned back.
template <class T, int N>
Variable<T, N> rotate(const Rotary& rotary, const Variable<T, N>& x, Index offset) {
  return x.tape().record(
      rotary(x.value(), offset),
      [rotary, offset, dx = x.gradient()](Tensor<T, N> dy) {
        dx->add(rotary.inverse(std::move(dy), offset));
      },
      x);
}

}  // namespace ATTN_ABI
}  // namespace attn
