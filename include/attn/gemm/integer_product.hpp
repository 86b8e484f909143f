#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_INTEGER_PRODUCT_HPP
#define ATTN_GEMM_INTEGER_PRODUCT_HPP

#include <attn/gemm/rounded_rows.hpp>
#include <attn/gemm/stored_product.hpp>
#include <attn/simd/byte_dots.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Some rows of a stored weight W of 8 or 4 bits, whose transpose is the right factor of a product
/// that rounds its left factor to integers of 8 bits, see `detail::RoundedBlock`.
struct IntegerRowsOf {
  const StoredMatrix& W;
  Range rows;
};

namespace detail {

/// C = addend + A Wᵀ, with A rounded.
template <class T>
struct IntegerProductOf {
  const RoundedBlock* A;
  const IntegerRowsOf& B;
  Addend<T> addend;
  ProductRows<T> C;

  /// Blocks of a row of A.
  static Index blocks(const StoredMatrix& W) {
    return (W.columns() + RoundedBlock::size - 1) / RoundedBlock::size;
  }
  const RoundedBlock* row(Index i) const { return A + i * blocks(B.W); }
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/integer_product.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// C = addend + A Wᵀ in parallel, where A is rounded to integers q of 8 bits with a scale t for 32
/// neighbors of a row, and W has integers w with a scale s and a minimum m for each group:
///   (A Wᵀ)_ij = Σ_groups [ s t Σ_k q w + m t Σ_k q ]
/// Sums of integers are exact, and those of groups are added as floats in the order of the columns,
/// so that a row is bitwise the same however many rows there are.
template <class T>
void parallel_multiply(const LeftFactor<T>& A, Index rows, const IntegerRowsOf& B,
                       const std::type_identity_t<Addend<T>>& addend,
                       const std::type_identity_t<ProductRows<T>>& C) {
  using Product = detail::IntegerProductOf<T>;
  constexpr Index most_rows = 96, rows_at_once = 10 * most_rows;
  constexpr Index panel = detail::WeightLayout::panel_rows;
  const Index first_panel = B.rows.begin / panel,
              panels = (B.rows.end + panel - 1) / panel - first_panel;
  const Index blocks = Product::blocks(B.W), bytes = Index{sizeof(detail::RoundedBlock)};
  const detail::TaskMemory memory(std::min(rows, rows_at_once) * blocks * bytes);
  auto* const rounded = reinterpret_cast<detail::RoundedBlock*>(memory.data());
  for (Index begin = 0; begin < rows; begin += rows_at_once) {
    const Index count = std::min(rows_at_once, rows - begin);
    parallel_for(count, [&](Index i) {
      ATTN_DISPATCH(round_row<T>(A, begin + i, B.W.columns(), rounded + i * blocks));
    });
    const T* const start = addend.data ? addend.data + begin * addend.stride : nullptr;
    const Product product{
        rounded, B, {start, addend.stride}, {C.data + begin * C.stride, C.stride}};
    const Index row_blocks = (count + most_rows - 1) / most_rows;
    parallel_for(row_blocks * panels, [&](Index task) {
      const Index row = task % row_blocks * most_rows;
      const Range some_rows{row, std::min(row + most_rows, count)};
      ATTN_DISPATCH(multiply_integers<T>(product, some_rows, first_panel + task / row_blocks));
    });
  }
}

}  // namespace ATTN_ABI
}  // namespace attn

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
      multiply<simd::SignedDots<Words>>(blocks, stride, first, sums);
    else multiply<simd::NibbleDots<Words>>(blocks, stride, first, sums);
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
                                             DotsOfRows<simd::SignedDots<Words>>& dots) {
    const Words w[3] = {load(words, 0), load(words, 1), load(words, 2)};
    add_four(w, a, k, dots);
    return k + 4;
  }
  EIGEN_ALWAYS_INLINE static Index add_words(const std::byte* words, const Rows& a, Index k,
                                             DotsOfRows<simd::NibbleDots<Words>>& dots) {
    const Words w[3] = {load(words, 0), load(words, 1), load(words, 2)};
    const Words low[3] = {w[0] & 0x0f0f0f0f, w[1] & 0x0f0f0f0f, w[2] & 0x0f0f0f0f};
    add_four(low, a, k, dots);
    const Words high[3] = {w[0] >> 4 & 0x0f0f0f0f, w[1] >> 4 & 0x0f0f0f0f,
                           w[2] >> 4 & 0x0f0f0f0f};
    add_four(high, a, k + 4, dots);
    return k + 8;
  }
  template <class Dots>
  EIGEN_ALWAYS_INLINE static void add_four(const Words* w, const Rows& a, Index k,
                                           DotsOfRows<Dots>& dots) {
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) {
      std::int32_t four;
      std::memcpy(&four, a[r] + k, sizeof(four));
      const Words broadcast = simd::broadcast<std::int32_t, lanes>(four);
#pragma GCC unroll 4
      for (int v = 0; v < 3; ++v) dots[r][v].add(w[v], broadcast);
    }
  }
  static Words load(const std::byte* words, int v) {
    Words loaded;
    std::memcpy(&loaded, words + v * static_cast<int>(sizeof(loaded)), sizeof(loaded));
    return loaded;
  }

  /// The scale t and the sum Σ q of the integers of a row of A.
  struct OfRow {
    float scale;
    std::int32_t sum;
  };
  /// sums += s t Σ q w + m t Σ q
  template <class Dots>
  EIGEN_ALWAYS_INLINE static void add_scaled(const WeightFormat& format,
                                             const WeightScales& scales, const OfRow& a,
                                             const simd::Array<Dots, 3>& dots, float* sums) {
    const std::int32_t zero = format.zero() * a.sum;
    const float scaled_sum = a.scale * static_cast<float>(a.sum);
#pragma GCC unroll 4
    for (int v = 0; v < 3; ++v) {
      Weights total;
      std::memcpy(&total, sums + v * lanes, sizeof(total));
      const Weights products = simd::to_floats(dots[v].sum() - zero).packet;
      total = simd::fused_multiply_add(products, a.scale * scales.scale[v], total);
      if (format.has_minimum)
        total = simd::fused_multiply_add(scales.minimum[v],
                                         simd::broadcast<float, lanes>(scaled_sum), total);
      std::memcpy(sums + v * lanes, &total, sizeof(total));
    }
  }

  const WeightLayout& layout_;
  const std::byte* group_;
};

/// Some rows of C, and its columns that a panel of W has.
template <class T>
void multiply_integers(const IntegerProductOf<T>& product, Range rows, Index p) {
  constexpr Index panel = WeightLayout::panel_rows, most_rows = 96;
  constexpr int at_once = 4;
  const WeightLayout& layout = product.B.W.layout();
  alignas(64) simd::Array<float, most_rows * panel> sums;
  std::fill_n(sums.data, rows.size() * panel, 0.0F);
  const Index stride = product.blocks(product.B.W), size = layout.format.group;
  for (Index g = 0; g < layout.groups(); ++g) {
    const std::byte* const group = product.B.W.data() + layout.group_at(p, g);
    const Index block = g * size / RoundedBlock::size, first = g * size % RoundedBlock::size;
    Index i = 0;
    for (; i + at_once <= rows.size(); i += at_once)
      IntegerGroup<at_once>(layout, group)
          .multiply(product.row(rows.begin + i) + block, stride, first, sums.data + i * panel);
    for (; i < rows.size(); ++i)
      IntegerGroup<1>(layout, group)
          .multiply(product.row(rows.begin + i) + block, stride, first, sums.data + i * panel);
  }
  const Index begin = std::max(product.B.rows.begin, p * panel),
              end = std::min(product.B.rows.end, (p + 1) * panel);
  for (Index i = 0; i < rows.size(); ++i) {
    const Index row = rows.begin + i;
    T* const C = product.C.data + row * product.C.stride - product.B.rows.begin;
    const T* const addend =
        product.addend.data
            ? product.addend.data + row * product.addend.stride - product.B.rows.begin
            : nullptr;
    for (Index c = begin; c < end; ++c) {
      const T sum = static_cast<T>(sums[i * panel + c - p * panel]);
      C[c] = addend ? addend[c] + sum : sum;
    }
  }
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
