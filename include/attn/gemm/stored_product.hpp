#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_STORED_PRODUCT_HPP
#define ATTN_GEMM_STORED_PRODUCT_HPP

#include <attn/gemm/product.hpp>
#include <attn/gemm/stored_matrix.hpp>
#include <attn/gemm/weight_group.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Some rows of a stored weight W, whose transpose is the right factor of a product.
struct StoredRowsOf {
  const StoredMatrix& W;
  Range rows;

  /// Those that have some of them.
  Range panels() const {
    constexpr Index panel = detail::WeightLayout::panel_rows;
    return {rows.begin / panel, (rows.end + panel - 1) / panel};
  }
};

namespace detail {

/// C = addend + A Wᵀ
template <class T>
struct StoredProductOf {
  /// Of a task: a panel, unpacked. Vectors may reach beyond the last row.
  static constexpr Index memory = (512 + 2) * WeightLayout::panel_rows;

  LeftFactor<T> A;
  StoredRowsOf B;
  Addend<T> addend;
  ProductRows<T> C;

  Range panels() const { return B.panels(); }
  /// Elements of a panel.
  Index panel_size() const { return B.W.columns() * WeightLayout::panel_rows; }
  /// Some rows of C, and the columns of some panels. Floats, and for up to four rows other elements
  /// too, are read as they are stored; otherwise a panel is unpacked once.
  void multiply(Range rows, Range panels, T* unpacked) const;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/stored_product.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

template <class T>
void StoredProductOf<T>::multiply(Range rows, Range panels, T* unpacked) const {
  for (Index p = panels.begin; p < panels.end; ++p)
    ATTN_DISPATCH(multiply_stored<T>(*this, rows, p, unpacked));
}

}  // namespace detail

/// C = addend + A Wᵀ for each of some stored weights, in one parallel loop: bitwise the products
/// with the numbers that they stand for.
template <class T, std::size_t N>
void parallel_multiply(const LeftFactor<T>& A, Index rows,
                       const std::array<ProductWith<T, StoredRowsOf>, N>& products) {
  std::apply(
      [&](const auto&... with) {
        using Product = detail::StoredProductOf<T>;
        detail::run_together<T>(std::array{
            detail::ProductTasks<T, Product>({A, with.B, with.addend, with.C}, rows)...});
      },
      products);
}
/// C = addend + A Wᵀ in parallel.
template <class T>
void parallel_multiply(const LeftFactor<T>& A, Index rows, const StoredRowsOf& B,
                       const std::type_identity_t<Addend<T>>& addend,
                       const std::type_identity_t<ProductRows<T>>& C) {
  parallel_multiply<T>(A, rows, std::array{ProductWith<T, StoredRowsOf>{B, addend, C}});
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Σ_k a_k W_·k, from zero, one after the other, for three vectors of rows of W.
struct RowSums {
  const float* a;
  Index stride;
  Weights sum[3] = {};

  EIGEN_ALWAYS_INLINE void add(Index k, int w, const Weights& x) {
    const Weights a_k = simd::broadcast<float, simd::lanes<float>>(a[k * stride]);
    sum[w] = simd::fused_multiply_add(a_k, x, sum[w]);
  }
};
/// Columns of W as rows of 48 elements.
template <class T>
struct UnpackedRows48 {
  T* to;

  EIGEN_ALWAYS_INLINE void add(Index k, int w, const Weights& x) {
    T* const place = to + k * WeightLayout::panel_rows + w * simd::lanes<float>;
    if constexpr (std::is_same_v<T, float>) simd::store_packet(place, x);
    else
      for (int i = 0; i < simd::lanes<float>; ++i) place[i] = static_cast<T>(x[i]);
  }
};

/// A panel of a stored weight.
struct StoredPanel {
  static constexpr Index rows = WeightLayout::panel_rows, step = 3 * simd::lanes<float>;
  const StoredMatrix& W;
  Index panel;

  /// Visits the columns k of W, for three vectors of rows from `first` on. move(sink, column) is
  /// called before each group, whose first column is `column`, counted from k.begin; it is negative
  /// where k begins within the group.
  template <class Sink, class Move>
  EIGEN_ALWAYS_INLINE void visit(Range k, Index first, Sink& sink, Move&& move) const {
    const WeightLayout& layout = W.layout();
    const Index size = layout.format.group;
    for (Index g = k.begin / size; g * size < k.end; ++g) {
      const Range columns{std::max(k.begin - g * size, Index{0}), std::min(k.end - g * size, size)};
      move(sink, g * size - k.begin);
      GroupColumns(layout, W.data() + layout.group_at(panel, g), first).visit(columns, sink);
    }
  }

  /// Where the columns from k on lie, if they are stored as T; otherwise null.
  template <class T>
  const T* elements(Index k) const {
    if (!std::is_same_v<T, float> || W.format().storage != Storage::float32) return nullptr;
    return reinterpret_cast<const T*>(W.data() + W.layout().group_at(panel, 0)) + k * rows;
  }
  template <class T>
  const T* unpack(Range k, T* to) const {
    for (Index first = 0; first < rows; first += step) {
      UnpackedRows48<T> sink{to};
      visit(k, first, sink,
            [&](UnpackedRows48<T>& x, Index column) { x.to = to + column * rows + first; });
    }
    return to;
  }

  /// The sums over some k of the product with row a, for the 48 rows of W.
  void multiply_row(const LeftFactor<float>& a, Range k, float* sums) const {
    for (Index first = 0; first < rows; first += step) {
      RowSums sink{nullptr, a.stride};
      visit(k, first, sink,
            [&](RowSums& x, Index column) { x.a = a.at(0, k.begin) + column * a.stride; });
#pragma GCC unroll 4
      for (int w = 0; w < 3; ++w)
        simd::store_packet(sums + first + w * simd::lanes<float>, sink.sum[w]);
    }
  }
  /// The same, where the columns from k.begin on lie at `elements`. As many rows of W as registers
  /// hold are read at once, so that memory is read in order.
  void multiply_row(const LeftFactor<float>& a, const float* elements, Range k, float* sums) const {
    constexpr Index lanes = simd::lanes<float>, vectors = std::min(rows / lanes, Index{6});
    const LeftFactor<float> a_block{a.at(0, k.begin), a.row_stride, a.stride};
    for (Index first = 0; first < rows; first += vectors * lanes) {
      const PanelRows<float> some{elements + first, rows, k.size()};
      const auto finish = [to = sums + first](Index, const auto& sum) {
        sum.for_each([&](int, int w, const simd::Vector<float>& x) {
          simd::store(to + w * simd::lanes<float>, x);
        });
      };
      multiply<int{vectors}, 1>(a_block, 1, ReadAhead<PanelRows<float>, 4096>{some}, finish);
    }
  }
};

/// Some rows of C, and its columns that a panel of W has.
template <class T>
void multiply_stored(const StoredProductOf<T>& product, Range rows, Index p, T* memory) {
  constexpr Index panel_size = StoredPanel::rows;
  const StoredPanel panel{product.B.W, p};
  const auto part = ProductRowsOf<T>{product.A, rows.end, product.addend, product.C}.part(rows);
  const Index begin = std::max(product.B.rows.begin, p * panel_size),
              end = std::min(product.B.rows.end, (p + 1) * panel_size);
  const SumBlocks blocks{product.B.W.columns()};
  for (Index block = 0; block < blocks.count(); ++block) {
    const Range k = blocks[block];
    const T* elements = panel.template elements<T>(k.begin);
    if constexpr (std::is_same_v<T, float>)
      if (rows.size() <= (elements ? 1 : 4)) {
        for (Index i = 0; i < rows.size(); ++i) {
          const auto row = part.part({i, i + 1});
          if (elements) panel.multiply_row(row.A, elements, k, memory);
          else panel.multiply_row(row.A, k, memory);
          row.add_sums({begin - product.B.rows.begin, end - product.B.rows.begin}, k,
                       memory + begin - p * panel_size);
        }
        continue;
      }
    if (!elements) elements = panel.unpack(k, memory);
    for (Index first = begin; first < end; first += panel_rows<T>)
      part.add({first - product.B.rows.begin,
                std::min(first + panel_rows<T>, end) - product.B.rows.begin},
               k, {elements + first - p * panel_size, panel_size, k.size()});
  }
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
