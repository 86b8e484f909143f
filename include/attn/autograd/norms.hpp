#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/math/layer_norm.hpp>
#include <attn/math/rms_norm.hpp>

namespace attn {
inline namespace ATTN_ABI {

template <class T, int N>
Variable<T, N> layer_norm(const Variable<T, N>& x, const Variable<T, 1>& w,
                          const std::type_identity_t<std::optional<Variable<T, 1>>>& b,
                          double eps) {
  std::optional<TensorView<const T, 1>> shift;
  if (b) shift = b->value().view();
  auto y = layer_norm(x.value(), w.value(), shift, eps);
  return x.tape().record(
      std::move(y),
      [x = x.kept(), w = w.kept(), eps, dx = x.gradient(), dw = w.gradient(),
       db = b ? b->gradient() : nullptr](Tensor<T, N> dy) {
        auto gradients = layer_norm_backward(std::move(dy), *x, *w, eps);
        if (dx) dx->add(std::move(gradients.dx));
        if (dw) dw->add(std::move(gradients.dw));
        if (db) db->add(std::move(gradients.db));
      },
      x, w, b);
}

template <class T, int N>
Variable<T, N> rms_norm(const Variable<T, N>& x, const Variable<T, 1>& w, double eps) {
  return x.tape().record(
      rms_norm(x.value(), w.value(), eps),
      [x = x.kept(), w = w.kept(), eps, dx = x.gradient(), dw = w.gradient()](Tensor<T, N> dy) {
        auto gradients = rms_norm_backward(std::move(dy), *x, *w, eps);
        if (dx) dx->add(std::move(gradients.dx));
        if (dw) dw->add(std::move(gradients.dw));
      },
      x, w);
}

}  // namespace ATTN_ABI
}  // namespace attn
