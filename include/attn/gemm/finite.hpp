#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_FINITE_HPP
#define ATTN_GEMM_FINITE_HPP

#include <attn/gemm/transpose.hpp>
#include <limits>

#define ATTN_KERNELS <attn/gemm/finite.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Whether all elements of a part of a matrix are finite.
template <class T>
bool all_finite(const detail::MatrixPart<const T>& X) {
  return ATTN_DISPATCH(all_finite<T>(X));
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

template <class T>
bool all_finite(const MatrixPart<const T>& X) {
  auto finite = simd::Vector<T>(T(0)) == T(0);
  for (Index i = 0; i < X.rows; ++i)
    simd::for_each_packet<T>(X.columns, [&](Index j, Index n) {
      const auto x = simd::load<simd::Vector<T> >(X.data + i * X.stride + j, n, T(0));
      finite = finite & (abs(x) <= std::numeric_limits<T>::max());
    });
  return !any(!finite);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
