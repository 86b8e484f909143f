#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_WEIGHT_GROUP_HPP
#define ATTN_GEMM_WEIGHT_GROUP_HPP

#include <attn/core/range.hpp>
#include <attn/gemm/weight_layout.hpp>
#include <attn/simd/bytes.hpp>
#include <attn/simd/widen.hpp>
#include <cstdint>

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

  /// Those of the rows from `first` on; minima of 0 where there are none.
  EIGEN_ALWAYS_INLINE static WeightScales of(const WeightLayout& layout, const std::byte* group,
                                             Index first) {
    return layout.format.wide_scales ? load<float>(layout, group, first)
                                     : load<float16>(layout, group, first);
  }

 private:
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
    }
    return x;
  }
};

/// Asks the caches for the elements of a panel's rows that lie some bytes after these: the
/// processor's own prefetching does not cross pages, and falls behind. (Without the attribute
/// g++ 12 takes the function for one without effect.)
template <class Element>
EIGEN_ALWAYS_INLINE void prefetch_after(const Element* of_rows, std::uintptr_t bytes) {
  const auto later = reinterpret_cast<std::uintptr_t>(of_rows) + bytes;
#pragma GCC unroll 4
  for (std::uintptr_t line = 0; line < sizeof(Element) * WeightLayout::panel_rows; line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(later + line));
}
/// The same for a word of integers of each row. Panels of integers are short.
EIGEN_ALWAYS_INLINE void prefetch_words(const std::byte* words) {
  prefetch_after(reinterpret_cast<const std::int32_t*>(words), 4096);
}

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
    if (layout_.format.storage == Storage::float32) sink = numbers<float>(range, sink);
    else if (layout_.format.storage == Storage::bfloat16) sink = numbers<bfloat16>(range, sink);
    else if (layout_.format.storage == Storage::float16) sink = numbers<float16>(range, sink);
    else if (layout_.format.storage == Storage::int8) sink = integers<4>(range, scales(), sink);
    else sink = integers<8>(range, scales(), sink);
  }

 private:
  EIGEN_ALWAYS_INLINE WeightScales scales() const {
    WeightScales scales = WeightScales::of(layout_, group_, first_);
    if (const int zero = layout_.format.zero(); zero != 0)
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w) scales.minimum[w] = static_cast<float>(-zero) * scales.scale[w];
    return scales;
  }
  using Words = simd::Register<std::int32_t, simd::lanes<float> >;

  /// The words of integers of three vectors of rows: those with column k, of `count` columns.
  template <int count>
  const std::byte* words_with(Index k) const {
    return group_ + layout_.header_size() + 4 * (k / count * rows + first_);
  }
  /// Columns 4 · part to 4 · part + 3 of vector w of words, as bytes.
  template <int count>
  static Words four_columns(const std::byte* words, int w, int part) {
    const auto loaded = simd::load_packet<Words>(words + w * static_cast<int>(sizeof(Words)));
    if constexpr (count == 4) return loaded;
    else return loaded >> 4 * part & 0x0f0f0f0f;
  }
  /// scale · q + minimum, where q is byte i of the words. It is converted as q · 2²⁴, and the scale
  /// is given as scale / 2²⁴.
  EIGEN_ALWAYS_INLINE static Weights weights(const WeightScales& scales, int w, const Words& words,
                                             int i) {
    const auto q = simd::to_floats(simd::byte_on_top(words, i)).packet;
    return simd::fused_multiply_add(q, scales.scale[w], scales.minimum[w]);
  }
  template <class Stored, class Sink>
  EIGEN_ALWAYS_INLINE Sink numbers(Range range, Sink sink) const {
    const Stored* x = reinterpret_cast<const Stored*>(group_) + range.begin * rows + first_;
    for (Index k = range.begin; k < range.end; ++k, x += rows) {
      prefetch_after(x, 8192);
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w) sink.add(k, w, simd::load_wide(x + w * lanes).packet);
    }
    return sink;
  }
  /// `count` integers in a word.
  template <int count, class Sink>
  EIGEN_ALWAYS_INLINE Sink integers(Range range, WeightScales scales, Sink sink) const {
#pragma GCC unroll 4
    for (int w = 0; w < 3; ++w) scales.scale[w] *= 0x1p-24F;
    Index k = range.begin;
    for (; k < range.end && k % count != 0; ++k) add_column<count>(k, scales, sink);
    for (; k + count <= range.end; k += count) {
      const std::byte* const words = words_with<count>(k);
      prefetch_words(words);
#pragma GCC unroll 2
      for (int part = 0; part < count / 4; ++part) {
        const Words bytes[3] = {four_columns<count>(words, 0, part),
                                four_columns<count>(words, 1, part),
                                four_columns<count>(words, 2, part)};
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
          for (int w = 0; w < 3; ++w)
            sink.add(k + 4 * part + i, w, weights(scales, w, bytes[w], i));
      }
    }
    for (; k < range.end; ++k) add_column<count>(k, scales, sink);
    return sink;
  }
  template <int count, class Sink>
  EIGEN_ALWAYS_INLINE void add_column(Index k, const WeightScales& scales, Sink& sink) const {
    const std::byte* const words = words_with<count>(k);
    const int part = static_cast<int>(k % count) / 4, i = static_cast<int>(k % 4);
#pragma GCC unroll 4
    for (int w = 0; w < 3; ++w)
      sink.add(k, w, weights(scales, w, four_columns<count>(words, w, part), i));
  }

  const WeightLayout& layout_;
  const std::byte* group_;
  Index first_;
};

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
