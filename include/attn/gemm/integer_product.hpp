#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_INTEGER_PRODUCT_HPP
#define ATTN_GEMM_INTEGER_PRODUCT_HPP

#include <attn/gemm/integer_group.hpp>
#include <attn/gemm/stored_product.hpp>

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
  static constexpr Index memory = 0;  ///< of a task

  const RoundedBlock* A;
  IntegerRowsOf B;
  Addend<T> addend;
  ProductRows<T> C;

  /// Blocks of a row of A.
  static Index blocks(const StoredMatrix& W) {
    return (W.columns() + RoundedBlock::size - 1) / RoundedBlock::size;
  }
  const RoundedBlock* row(Index i) const { return A + i * blocks(B.W); }

  Range panels() const { return StoredRowsOf{B.W, B.rows}.panels(); }
  /// Elements of a panel.
  Index panel_size() const { return B.W.columns() * WeightLayout::panel_rows; }
  /// Some rows of C, and the columns of some panels.
  void multiply(Range rows, Range panels, T* memory) const;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/integer_product.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

template <class T>
void IntegerProductOf<T>::multiply(Range rows, Range panels, T*) const {
  for (Index p = panels.begin; p < panels.end; ++p)
    ATTN_DISPATCH(multiply_integers<T>(*this, rows, p));
}

}  // namespace detail

/// C = addend + A Wᵀ for each of some stored weights of equally many columns, in parallel, where A
/// is rounded once to integers q of 8 bits with a scale t for 32 neighbors of a row, and W has
/// integers w with a scale s and a minimum m for each group:
///   (A Wᵀ)_ij = Σ_groups [ s t Σ_k q w + m t Σ_k q ]
/// Sums of integers are exact, and those of groups are added as floats in the order of the columns,
/// so that a row is bitwise the same however many rows there are.
template <class T, std::size_t N>
void parallel_multiply(const LeftFactor<T>& A, Index rows,
                       const std::array<ProductWith<T, IntegerRowsOf>, N>& products) {
  using Product = detail::IntegerProductOf<T>;
  constexpr Index rows_at_once = 10 * detail::most_rows_of_a_task;
  const Index columns = products[0].B.W.columns(), blocks = Product::blocks(products[0].B.W);
  const detail::TaskMemory memory(std::min(rows, rows_at_once) * blocks *
                                  Index{sizeof(detail::RoundedBlock)});
  auto* const rounded = reinterpret_cast<detail::RoundedBlock*>(memory.data());
  for (Index begin = 0; begin < rows; begin += rows_at_once) {
    const Index count = std::min(rows_at_once, rows - begin);
    parallel_for(count, [&](Index i) {
      ATTN_DISPATCH(round_row<T>(A, begin + i, columns, rounded + i * blocks));
    });
    std::apply(
        [&](const auto&... with) {
          detail::run_together<T>(std::array{detail::ProductTasks<T, Product>(
              {rounded, with.B, detail::rows_from(begin, with.addend),
               detail::rows_from(begin, with.C)},
              count)...});
        },
        products);
  }
}
/// The same for one weight.
template <class T>
void parallel_multiply(const LeftFactor<T>& A, Index rows, const IntegerRowsOf& B,
                       const std::type_identity_t<Addend<T>>& addend,
                       const std::type_identity_t<ProductRows<T>>& C) {
  parallel_multiply<T>(A, rows, std::array{ProductWith<T, IntegerRowsOf>{B, addend, C}});
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Some rows of C, and its columns that a panel of W has.
template <class T>
void multiply_integers(const IntegerProductOf<T>& product, Range rows, Index p) {
  constexpr Index panel = WeightLayout::panel_rows, most_rows = most_rows_of_a_task;
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
