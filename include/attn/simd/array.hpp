#pragma once

#include <attn/core/config.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace simd {

/// n elements in a row, by a signed index, which g++ does not accept as the length of a plain array
/// without a warning.
template <class T, Index n>
struct Array {
  T data[static_cast<std::size_t>(n)];
  EIGEN_ALWAYS_INLINE T& operator[](Index i) { return data[i]; }
  EIGEN_ALWAYS_INLINE const T& operator[](Index i) const { return data[i]; }
};

}  // namespace simd
}  // namespace ATTN_ABI
}  // namespace attn
