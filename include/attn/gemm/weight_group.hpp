#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_WEIGHT_GROUP_HPP
#define ATTN_GEMM_WEIGHT_GROUP_HPP

#include <attn/core/range.hpp>
#include <attn/gemm/weight_layout.hpp>
#include <attn/simd/widen.hpp>

#define ATTN_KERNELS <attn/gemm/weight_group.hpp>
#include <attn/simd/for_each_target.hpp>

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// A register of weights of one column.
using Weights = simd::Register<float, simd::lanes<float> >;

/// Scales and minima of three vectors of rows.
struct WeightScales {
  Weights scale[3], minimum[3];

  template <class Scale>
  EIGEN_ALWAYS_INLINE static WeightScales load(const WeightLayout& layout, const std::byte* group,
                                               Index first) {
    WeightScales x;
    const auto vector = [&](const std::byte* scales, int w) {
      const Scale* const of_rows = reinterpret_cast<const Scale*>(scales) + first;
      return simd::load_wide(of_rows + w * simd::lanes<float>).packet;
    };
#pragma GCC unroll 4
    for (int w = 0; w < 3; ++w) {
      x.scale[w] = vector(group, w);
      x.minimum[w] = Weights{};
      if (layout.format.has_minimum) x.minimum[w] = vector(group + layout.scales_size(), w);
      else if (layout.format.storage == Storage::int4) x.minimum[w] = -8.0F * x.scale[w];
    }
    return x;
  }
};

/// Some columns of a group, for three vectors of its rows.
class GroupColumns {
  static constexpr Index lanes = simd::lanes<float>, rows = WeightLayout::panel_rows;

 public:
  /// The rows from `first` on.
  GroupColumns(const WeightLayout& layout, const std::byte* group, Index first)
      : layout_(layout), group_(group), first_(first) {}

  /// sink.add(k, w, vector w of column k) for the columns of a range, one after the other. The sink
  /// is copied, so that the compiler keeps its members in registers.
  template <class Sink>
  EIGEN_ALWAYS_INLINE void visit(Range range, Sink& sink) const {
    if (layout_.format.storage == Storage::bfloat16) sink = numbers<bfloat16>(range, sink);
    else if (layout_.format.storage == Storage::float16) sink = numbers<float16>(range, sink);
    else if (layout_.format.storage == Storage::int8) sink = bytes(range, scales(), sink);
    else sink = four_bits(range, scales(), sink);
  }

 private:
  EIGEN_ALWAYS_INLINE WeightScales scales() const {
    return layout_.format.wide_scales ? WeightScales::load<float>(layout_, group_, first_)
                                      : WeightScales::load<float16>(layout_, group_, first_);
  }
  using Integers = simd::Register<std::int32_t, simd::lanes<float> >;
  /// scale · q + minimum
  EIGEN_ALWAYS_INLINE static Weights weights(const WeightScales& scales, int w, const Integers& q) {
    return simd::fused_multiply_add(simd::to_floats(q).packet, scales.scale[w], scales.minimum[w]);
  }
  /// Asks the caches for what is read some groups later. Integers are so few bytes that the
  /// processor's own prefetching, which does not cross pages, falls behind.
  static void prefetch(const void* column) {
    __builtin_prefetch(static_cast<const std::byte*>(column) + 4096);
  }
  /// Column k of the elements that follow the scales.
  template <class Element>
  const Element* column(Index k) const {
    return reinterpret_cast<const Element*>(group_ + layout_.header_size()) + k * rows + first_;
  }

  template <class Stored, class Sink>
  EIGEN_ALWAYS_INLINE Sink numbers(Range range, Sink sink) const {
    const Stored* x = column<Stored>(range.begin);
    for (Index k = range.begin; k < range.end; ++k, x += rows)
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w) sink.add(k, w, simd::load_wide(x + w * lanes).packet);
    return sink;
  }
  template <class Sink>
  EIGEN_ALWAYS_INLINE Sink bytes(Range range, const WeightScales& scales, Sink sink) const {
    const std::int8_t* x = column<std::int8_t>(range.begin);
    for (Index k = range.begin; k < range.end; ++k, x += rows) {
      prefetch(x);
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w)
        sink.add(k, w, weights(scales, w, simd::load_integers(x + w * lanes)));
    }
    return sink;
  }
  template <class Sink>
  EIGEN_ALWAYS_INLINE Sink four_bits(Range range, const WeightScales& scales, Sink sink) const {
    const auto one = [&](Index k, int shift) {
      const std::uint8_t* const x = column<std::uint8_t>(k / 2);
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w)
        sink.add(k, w, weights(scales, w, simd::load_integers(x + w * lanes) >> shift & 15));
    };
    if (range.begin % 2 == 1) one(range.begin++, 4);
    const std::uint8_t* x = column<std::uint8_t>(range.begin / 2);
    for (; range.begin + 1 < range.end; range.begin += 2, x += rows) {
      prefetch(x);
      Integers two[3];
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w) {
        two[w] = simd::load_integers(x + w * lanes);
        sink.add(range.begin, w, weights(scales, w, two[w] & 15));
      }
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w) sink.add(range.begin + 1, w, weights(scales, w, two[w] >> 4));
    }
    if (range.begin < range.end) one(range.begin, 0);
    return sink;
  }

  const WeightLayout& layout_;
  const std::byte* group_;
  Index first_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
