#ifndef ATTN_TARGET
#ifndef ATTN_GEMM_PRODUCT_HPP
#define ATTN_GEMM_PRODUCT_HPP

#include <array>
#include <attn/core/range.hpp>
#include <attn/gemm/packed_matrix.hpp>
#include <attn/gemm/prefetch.hpp>
#include <attn/parallel/task_memory.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// What a product is added to: a matrix of its shape, whose rows are `stride` apart; one row for
/// all, a bias, where `stride` is 0; nothing where `data` is null.
template <class T>
struct Addend {
  const T* data = nullptr;
  Index stride = 0;
};

/// Where a product is written: its rows are `stride` apart.
template <class T>
struct ProductRows {
  T* data;
  Index stride;
};

/// A right factor B, and where addend + A B is written, for a left factor A that several products
/// may have in common.
template <class T, class Factor>
struct ProductWith {
  Factor B;
  Addend<T> addend;
  ProductRows<T> C;
};

namespace detail {

/// Rows of a product that a task computes, at most.
inline constexpr Index most_rows_of_a_task = 96;

/// Rows of an addend or of a product, from one on.
template <class T>
Addend<T> rows_from(Index row, const Addend<T>& addend) {
  return {addend.data ? addend.data + row * addend.stride : nullptr, addend.stride};
}
template <class T>
ProductRows<T> rows_from(Index row, const ProductRows<T>& C) {
  return {C.data + row * C.stride, C.stride};
}

/// C = addend + A B
template <class T>
struct ProductOf {
  static constexpr Index memory = 0;  ///< elements that a task needs

  LeftFactor<T> A;
  const PackedMatrix<T>& B;
  Addend<T> addend;
  ProductRows<T> C;

  Range panels() const { return {0, B.panels()}; }
  /// Elements of a panel.
  Index panel_size() const { return B.rows() * B.width(); }
  /// Some rows of C, and the columns of some panels.
  void multiply(Range rows, Range panels, T* memory) const;
};

}  // namespace detail

}  // namespace ATTN_ABI
}  // namespace attn

#define ATTN_KERNELS <attn/gemm/product.hpp>
#include <attn/simd/for_each_target.hpp>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

template <class T>
void ProductOf<T>::multiply(Range rows, Range panels, T*) const {
  ATTN_DISPATCH_TO(B.instruction_set(), multiply_part<T>(*this, rows, panels));
}

/// The tasks of a product: blocks of rows and of panels. Some panels are used for all rows before
/// the next, so that weights that are not in a cache are read once. For many rows a task has a few
/// panels, so that it reads its rows from a cache. For few rows it has one, unless that is not
/// worth a task: the tasks of a matrix of a few megabytes must even out.
template <class T, class Product>
class ProductTasks {
 public:
  static constexpr Index memory = Product::memory;

  ProductTasks(const Product& product, Index rows)
      : product_(product),
        rows_(rows),
        panels_(product.panels()),
        row_blocks_((rows + most_rows_of_a_task - 1) / most_rows_of_a_task),
        column_blocks_(row_blocks_ > 0 ? column_blocks() : 0) {}

  Index count() const { return row_blocks_ * column_blocks_; }
  void operator()(Index task, T* of_task) const {
    const Index row = task % row_blocks_ * most_rows_of_a_task, block = task / row_blocks_;
    product_.multiply({row, std::min(row + most_rows_of_a_task, rows_)},
                      {first_panel(block), first_panel(block + 1)}, of_task);
  }

 private:
  Index first_panel(Index block) const {
    return panels_.begin + block * panels_.size() / column_blocks_;
  }
  Index column_blocks() const {
    constexpr Index most = 4, few_rows = 4, worth_a_task = Index{1} << 15;
    const Index of_few = worth_a_task / std::max(rows_ * product_.panel_size(), Index{1});
    const Index fewest = rows_ > few_rows ? most : std::clamp(of_few, Index{1}, most);
    const Index wanted = std::max<Index>(64, 8 * num_threads());
    return std::min((panels_.size() + fewest - 1) / fewest,
                    (wanted + row_blocks_ - 1) / row_blocks_);
  }

  Product product_;
  Index rows_;
  Range panels_;
  Index row_blocks_, column_blocks_;
};

/// Runs the tasks of several products in one parallel loop.
template <class T, class Tasks, std::size_t N>
void run_together(const std::array<Tasks, N>& products) {
  Index count = 0;
  for (const Tasks& tasks : products) count += tasks.count();
  parallel_for<T>(count, Tasks::memory, [&](Index task, T* memory) {
    const Tasks* tasks = products.data();
    for (; task >= tasks->count(); ++tasks) task -= tasks->count();
    (*tasks)(task, memory);
  });
}

}  // namespace detail

/// C = addend + A B for each of some right factors, in one parallel loop. What a row of C is does
/// not depend on the number of rows, nor on the other products.
template <class T, std::size_t N>
void parallel_multiply(const LeftFactor<T>& A, Index rows,
                       const std::array<ProductWith<T, const PackedMatrix<T>*>, N>& products) {
  std::apply(
      [&](const auto&... with) {
        using Product = detail::ProductOf<T>;
        detail::run_together<T>(std::array{
            detail::ProductTasks<T, Product>({A, *with.B, with.addend, with.C}, rows)...});
      },
      products);
}
/// C = addend + A B in parallel.
template <class T>
void parallel_multiply(const LeftFactor<T>& A, Index rows, const PackedMatrix<T>& B,
                       const std::type_identity_t<Addend<T>>& addend,
                       const std::type_identity_t<ProductRows<T>>& C) {
  parallel_multiply<T>(A, rows, std::array{ProductWith<T, const PackedMatrix<T>*>{&B, addend, C}});
}

}  // namespace ATTN_ABI
}  // namespace attn

#endif
#else

namespace attn {
inline namespace ATTN_ABI {
namespace detail::ATTN_TARGET {

/// Rows of k that are summed from zero before they are added, so that rounding errors do not grow
/// with k: at most 512.
struct SumBlocks {
  Index rows;

  Index count() const { return std::max<Index>(1, (rows + deepest - 1) / deepest); }
  Range operator[](Index block) const {
    const Index depth = (rows + count() - 1) / count();
    return {block * depth, std::min((block + 1) * depth, rows)};
  }
  static constexpr Index deepest = 512;
};

/// `rows` rows of C = addend + A B. C may be the addend.
/// Numerics: the sum over k is that of SumBlocks. What a row gets does not depend on how many rows
/// there are.
template <class T>
struct ProductRowsOf {
  LeftFactor<T> A;
  Index rows;
  Addend<T> addend;
  ProductRows<T> C;

  /// Some columns, one panel at most, and their sum over some k. B_block has these rows of B. The
  /// sum is added to the addend, and after the first k to C.
  void add(Range columns, Range k, const PanelRows<T>& B_block) const {
    using Vector = simd::Vector<T>;
    const int width = Panel<T>::of(columns.size()).width, last = width - 1;
    const Index last_count = columns.size() - last * Vector::size;
    const Addend<T> sum = k.begin > 0 ? Addend<T>{C.data, C.stride} : addend;
    const Addend<T> start{sum.data ? sum.data + columns.begin : nullptr, sum.stride};
    const auto finish = [start, last, last_count, count = rows, output = C.data + columns.begin,
                         stride = C.stride](Index row, const auto& AB) {
      AB.for_each(
          [&](int r, int w, const Vector& x) {
            const Index n = w < last ? Vector::size : last_count, at = w * Vector::size;
            const Index from = (row + r) * start.stride + at;
            simd::store(output + (row + r) * stride + at, n,
                        start.data ? simd::load<Vector>(start.data + from, n, T(0)) + x : x);
          },
          count - row);
    };
    const LeftFactor<T> A_block{A.at(0, k.begin), A.row_stride, A.stride};
    if (rows == 1)
      multiply<1>(width, A_block, rows, ReadAhead<PanelRows<T>, 4096>{B_block}, finish);
    else multiply(width, A_block, rows, B_block, finish);
  }

  /// The same for one row, from the sums of these columns.
  void add_sums(Range columns, Range k, const T* sums) const {
    const T* const before = k.begin > 0 ? C.data : addend.data;
    for (Index c = columns.begin; c < columns.end; ++c)
      C.data[c] = before ? before[c] + *sums++ : *sums++;
  }

  /// The columns of some panels of B.
  void add_panels(const RightFactor<T>& B, Range panels) const {
    const SumBlocks blocks{B.rows};
    for (Index p = panels.begin; p < panels.end; ++p)
      for (Index block = 0; block < blocks.count(); ++block) {
        const Range k = blocks[block];
        const Index first = RightFactor<T>::begin(p, B.columns);
        add({first, first + RightFactor<T>::size(p, B.columns)}, k,
            {B.row(p, k.begin), RightFactor<T>::width, k.size()});
      }
  }

  /// The same product for some of its rows.
  ProductRowsOf part(Range some) const {
    const LeftFactor<T> A_part{A.at(some.begin, 0), A.row_stride, A.stride};
    return {A_part, some.size(), rows_from(some.begin, addend), rows_from(some.begin, C)};
  }
};

/// Some rows of a product, and the columns of some of its panels.
template <class T>
void multiply_part(const ProductOf<T>& product, Range rows, Range panels) {
  const RightFactor<T> B{product.B.data(), product.B.rows(), product.B.columns()};
  ProductRowsOf<T>{product.A, rows.end, product.addend, product.C}.part(rows).add_panels(B, panels);
}

}  // namespace detail::ATTN_TARGET
}  // namespace ATTN_ABI
}  // namespace attn

#endif
