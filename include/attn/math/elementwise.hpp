#ifndef ATTN_TARGET
#ifndef ATTN_MATH_ELEMENTWISE_HPP
#define ATTN_MATH_ELEMENTWISE_HPP

#include <attn/autograd/apply.hpp>
#include <attn/parallel/chunks.hpp>
#include <attn/simd/simd.hpp>

#define ATTN_KERNELS <attn/math/elementwise.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// y_i ← f(x_i, z_i, …) for the elements of contiguous arrays, a vector at a time, in parallel. y
/// may be one of the operands. The result for an element does not depend on its position.
template <class T, class F, class... X>
void transform_elements(T* y, Index size, const F& f, const X*... x) {
  parallel_chunks(size, [&](Index begin, Index count) {
    ATTN_DISPATCH(transform<T>(y + begin, count, f, x + begin...));
  });
}

/// x_i ← f(x_i, z_i, …) for tensors of one shape. An rvalue x is changed in place.
/// Errors: ShapeError unless the shapes are equal.
template <class T, int N, class F, class... Z>
Tensor<T, N> map_elements(Tensor<T, N> x, const F& f, const Z&... z) {
  [[maybe_unused]] const auto expect = [&](const Shape<N>& shape) {
    if (shape != x.shape())
      throw ShapeError("operands " + to_string(x.shape()) + " and " + to_string(shape) +
                       " must have the same shape");
  };
  (expect(z.shape()), ...);
  transform_elements(x.data(), x.size(), f, std::as_const(x).data(), z.data()...);
  return x;
}

/// Base of an operation on each element, which a formula defines for a vector of elements:
///
///   struct Square : detail::Elementwise<Square> {
///     auto value(const auto& x) const { return x * x; }                          // y
///     auto gradient(const auto& dy, const auto& x) const { return dy * 2 * x; }  // dx
///   };
template <class Formula>
struct Elementwise {
  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x) const {
    return map_elements(std::move(x), [this](const auto& v) { return formula().value(v); });
  }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x) const {
    x.add(map_elements(
        std::move(dy), [this](const auto& g, const auto& v) { return formula().gradient(g, v); },
        x.value()));
  }

 private:
  const Formula& formula() const { return static_cast<const Formula&>(*this); }
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// y_i ← f(x_i, z_i, …) for `count` elements, a vector at a time.
template <class T, class F, class... X>
ATTN_FLATTEN void transform(T* y, Index count, const F& f, const X*... x) {
  using Vector = simd::Vector<T>;
  simd::for_each_packet<T>(count, [&](Index i, Index n) {
    simd::store(y + i, n, f(simd::load<Vector>(x + i, n, T(0))...));
  });
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
