#ifndef ATTN_TARGET
#ifndef ATTN_ATTENTION_STORED_FACTOR_HPP
#define ATTN_ATTENTION_STORED_FACTOR_HPP

#include <attn/gemm/prefetch.hpp>

#define ATTN_KERNELS <attn/attention/stored_factor.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Integers as a right factor, with a scale for each column or for each row.
template <class T, bool each_row>
struct ScaledPanel {
  using Scalar = T;
  const std::int8_t* data;
  Index stride, count;
  const T* scales;

  simd::Vector<T> load(const std::int8_t* row, Index k, Index i) const {
    using Vector = simd::Vector<T>;
    const Vector factors = each_row ? Vector(scales[k]) : simd::load<Vector>(scales + i);
    return factors * simd::load_as<T>(row + i);
  }
};

struct RowsInMemory {
  Index stride, count;
};
/// Stored keys or values as a right factor; integers have scales.
template <bool each_row, class T, class Stored>
auto stored_factor(const Stored* data, const RowsInMemory& rows, [[maybe_unused]] const T* scales) {
  if constexpr (std::same_as<Stored, std::int8_t>)
    return ScaledPanel<T, each_row>{data, rows.stride, rows.count, scales};
  else return PanelRows<T, Stored>{data, rows.stride, rows.count};
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
