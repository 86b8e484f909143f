#pragma once

#include <attn/math/arithmetic.hpp>
#include <attn/nn/dropout.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The residual connection around a sublayer: LayerNorm(x + Dropout(Sublayer(x)))
/// [Vaswani17 §3.1, §5.4] or, with `norm_first`, x + Dropout(Sublayer(LayerNorm(x)))   [Xiong20].
/// `rows` are those of Dropout.
struct Residual {
  Dropout dropout;
  bool norm_first;

  template <class X, class Norm, class Sublayer>
  auto operator()(const X& x, Norm& norm, Sublayer&& sublayer,
                  const RowPositions& rows = {}) const {
    return norm_first ? x + dropout(sublayer(norm(x)), rows) : norm(x + dropout(sublayer(x), rows));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
