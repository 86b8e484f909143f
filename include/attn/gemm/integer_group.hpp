#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_INTEGER_GROUP_HPP
#define ATTN_GEMM_INTEGER_GROUP_HPP

#include <attn/gemm/rounded_rows.hpp>
#include <attn/gemm/weight_group.hpp>
#include <attn/simd/byte_dots.hpp>

#define ATTN_KERNELS <attn/gemm/integer_group.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Products of a group of a panel of a stored weight with integers of `count` rows of A.
template <int count>
class IntegerGroup {
  static constexpr Index lanes = simd::lanes<float>, panel = WeightLayout::panel_rows;
  using Words = simd::Register<std::int32_t, lanes>;

 public:
  IntegerGroup(const WeightLayout& layout, const std::byte* group)
      : layout_(layout), group_(group) {}

  /// Adds the products with the integers from `first` on of blocks of A, which lie `stride` apart,
  /// to the sums of each of the 48 rows of W, for one row of A after the other.
  void multiply(const RoundedBlock* blocks, Index stride, Index first, float* sums) const {
    if (layout_.format.storage == Storage::int8)
      multiply<simd::SignedDots<Words> >(blocks, stride, first, sums);
    else multiply<simd::NibbleDots<Words> >(blocks, stride, first, sums);
  }

 private:
  using Rows = simd::Array<const std::int8_t*, count>;
  template <class Dots>
  using DotsOfRows = simd::Array<simd::Array<Dots, 3>, count>;

  template <class Dots>
  void multiply(const RoundedBlock* blocks, Index stride, Index first, float* sums) const {
    const WeightFormat format = layout_.format;
    Rows a;
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) a[r] = blocks[r * stride].integers + first;
    for (Index row = 0; row < panel; row += 3 * lanes) {
      DotsOfRows<Dots> dots{};
      const std::byte* words = group_ + layout_.header_size() + 4 * row;
      for (Index k = 0; k < format.group; words += 4 * panel) {
        if (count == 1 && row == 0) prefetch_words(words);
        k = add_words(words, a, k, dots);
      }
      const WeightScales scales = WeightScales::of(layout_, group_, row);
#pragma GCC unroll 4
      for (int r = 0; r < count; ++r) {
        const RoundedBlock& block = blocks[r * stride];
        add_scaled(format, scales, {block.scale, block.sum(first, format.group)}, dots[r],
                   sums + r * panel + row);
      }
    }
  }

  /// Adds the products of words with the columns from k on, and returns the column after them.
  EIGEN_ALWAYS_INLINE static Index add_words(const std::byte* words, const Rows& a, Index k,
                                             DotsOfRows<simd::SignedDots<Words> >& dots) {
    const Words w[3] = {load(words, 0), load(words, 1), load(words, 2)};
    add_four(w, a, k, dots);
    return k + 4;
  }
  EIGEN_ALWAYS_INLINE static Index add_words(const std::byte* words, const Rows& a, Index k,
                                             DotsOfRows<simd::NibbleDots<Words> >& dots) {
    const Words w[3] = {load(words, 0), load(words, 1), load(words, 2)};
    const Words low[3] = {w[0] & 0x0f0f0f0f, w[1] & 0x0f0f0f0f, w[2] & 0x0f0f0f0f};
    add_four(low, a, k, dots);
    const Words high[3] = {w[0] >> 4 & 0x0f0f0f0f, w[1] >> 4 & 0x0f0f0f0f, w[2] >> 4 & 0x0f0f0f0f};
    add_four(high, a, k + 4, dots);
    return k + 8;
  }
  template <class Dots>
  EIGEN_ALWAYS_INLINE static void add_four(const Words* w, const Rows& a, Index k,
                                           DotsOfRows<Dots>& dots) {
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) {
      const auto four = simd::load_packet<std::int32_t>(a[r] + k);
      const Words broadcast = simd::broadcast<std::int32_t, lanes>(four);
#pragma GCC unroll 4
      for (int v = 0; v < 3; ++v) dots[r][v].add(w[v], broadcast);
    }
  }
  static Words load(const std::byte* words, int v) {
    return simd::load_packet<Words>(words + v * static_cast<int>(sizeof(Words)));
  }

  /// The scale t and the sum Σ q of the integers of a row of A.
  struct OfRow {
    float scale;
    std::int32_t sum;
  };
  /// sums += s t Σ q w + m t Σ q
  template <class Dots>
  EIGEN_ALWAYS_INLINE static void add_scaled(const WeightFormat& format, const WeightScales& scales,
                                             const OfRow& a, const simd::Array<Dots, 3>& dots,
                                             float* sums) {
    const std::int32_t zero = format.zero() * a.sum;
    const float scaled_sum = a.scale * static_cast<float>(a.sum);
#pragma GCC unroll 4
    for (int v = 0; v < 3; ++v) {
      auto total = simd::load_packet<Weights>(sums + v * lanes);
      const Weights products = simd::to_floats(dots[v].sum() - zero).packet;
      total = simd::fused_multiply_add(products, a.scale * scales.scale[v], total);
      if (format.has_minimum)
        total = simd::fused_multiply_add(scales.minimum[v],
                                         simd::broadcast<float, lanes>(scaled_sum), total);
      simd::store_packet(sums + v * lanes, total);
    }
  }

  const WeightLayout& layout_;
  const std::byte* group_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
