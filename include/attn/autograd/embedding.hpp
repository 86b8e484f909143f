#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/math/embedding.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class T, int N>
Variable<T, N + 1> embed(const Tensor<Index, N>& ids, const Variable<T, 2>& table, double factor) {
  return table.tape().record(
      embed(ids, table.value(), factor),
      [ids, factor, d_table = table.gradient()](const Tensor<T, N + 1>& dy) {
        embed_backward(dy, ids, factor, d_table->sum());
      },
      table);
}

}  // namespace ATTN_ABI
}  // namespace attn
