#pragma once

#include <attn/autograd/linear.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Rows `begin` … `end` − 1 of a parameter, or of one that a layer may be without.
template <class P>
struct RowsOfParameter {
  P& parameter;
  Index begin, end;
};
template <class P>
RowsOfParameter(P&, Index, Index) -> RowsOfParameter<P>;

/// x Wᵀ + b with a layer's weight (out, in) and bias (out), if it has one, or with some rows of
/// them. For tensors Wᵀ is kept packed until the weight changes.
template <class T>
class Projection {
 public:
  template <class X, class W, class B>
  auto operator()(const X& x, W& weight, B& bias) const {
    const Index rows = weight.value().shape()[0];
    return (*this)(x, RowsOfParameter<W>{weight, 0, rows}, RowsOfParameter<B>{bias, 0, rows});
  }

  template <class X, class W, class B>
  auto operator()(const X& x, const RowsOfParameter<W>& weight,
                  const RowsOfParameter<B>& bias) const {
    const auto b = beside(x, bias.parameter);
    if constexpr (is_variable<X>) {
      std::optional<RowsOf<T, 1>> b_rows;
      if (b) b_rows.emplace(RowsOf<T, 1>{*b, bias.begin, bias.end});
      return linear(x, RowsOf<T, 2>{beside(x, weight.parameter), weight.begin, weight.end}, b_rows);
    } else {
      const auto packed = packed_.get(weight.parameter.stamp(), [&] {
        return PackedMatrix<T>::transposed(
            weight.parameter.value().slice(0, weight.begin, weight.end));
      });
      return linear(const_view(x), *packed,
                    b ? std::optional(b->slice(0, bias.begin, bias.end)) : std::nullopt);
    }
  }

 private:
  template <int N>
  static TensorView<const T, N> const_view(const Tensor<T, N>& x) {
    return x.view();
  }
  template <class U, int N>
  static TensorView<const T, N> const_view(const TensorView<U, N>& x) {
    return x;
  }

  MadeFrom<PackedMatrix<T>> packed_;
};

}  // namespace ATTN_ABI
}  // namespace attn
