#pragma once

#include <attn/gemm/integer_product.hpp>
#include <variant>

namespace attn {
inline namespace ATTN_ABI {

/// Wᵀ of some rows of a layer's weight, as the right factor of a product: packed, or stored
/// as a StoredMatrix. It refers to the weight.
template <class T>
class WeightFactor {
 public:
  WeightFactor(const PackedMatrix<T>& packed) : factor_(&packed) {}
  WeightFactor(const StoredRowsOf& stored) : factor_(stored) {}
  WeightFactor(const IntegerRowsOf& stored) : factor_(stored) {}

  /// Those of Wᵀ: in and out.
  Index rows() const {
    return std::visit([](const auto& factor) { return rows_of(factor); }, factor_);
  }
  Index columns() const {
    return std::visit([](const auto& factor) { return columns_of(factor); }, factor_);
  }

  /// How it is stored, if so; otherwise null.
  template <class Factor>
  const Factor* as() const {
    return std::get_if<Factor>(&factor_);
  }
  template <class F>
  void visit(F&& f) const {
    std::visit(f, factor_);
  }

 private:
  using Packed = const PackedMatrix<T>*;

  static Index rows_of(Packed packed) { return packed->rows(); }
  static Index columns_of(Packed packed) { return packed->columns(); }
  template <class Stored>
  static Index rows_of(const Stored& stored) {
    return stored.W.columns();
  }
  template <class Stored>
  static Index columns_of(const Stored& stored) {
    return stored.rows.size();
  }

  std::variant<Packed, StoredRowsOf, IntegerRowsOf> factor_;
};

/// C = addend + A Wᵀ for each of some weights, whose numbers of rows must be equal, in parallel: in
/// one loop where they are stored alike.
template <class T, std::size_t N>
void parallel_multiply(const LeftFactor<T>& A, Index rows,
                       const std::array<ProductWith<T, WeightFactor<T>>, N>& products) {
  products[0].B.visit([&]<class Factor>(const Factor&) {
    const bool alike = std::all_of(products.begin(), products.end(), [](const auto& with) {
      return with.B.template as<Factor>() != nullptr;
    });
    if (alike) {
      std::apply(
          [&](const auto&... with) {
            parallel_multiply<T>(A, rows,
                                 std::array{ProductWith<T, Factor>{*with.B.template as<Factor>(),
                                                                   with.addend, with.C}...});
          },
          products);
    } else {
      for (const auto& with : products) parallel_multiply<T>(A, rows, std::array{with});
    }
  });
}

}  // namespace ATTN_ABI
}  // namespace attn
