#pragma once

#include <attn/gemm/integer_product.hpp>
#include <variant>

namespace attn {
inline namespace ATTN_ABI {

/// Wᵀ of some rows of a layer's weight, as the right factor of a product: packed, or stored in
/// fewer bits. It refers to the weight.
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

  /// C = addend + A Wᵀ, in parallel.
  void parallel_multiply(const LeftFactor<T>& A, Index rows, const Addend<T>& addend,
                         const ProductRows<T>& C) const {
    std::visit([&](const auto& factor) { multiply(A, rows, factor, addend, C); }, factor_);
  }

 private:
  using Packed = const PackedMatrix<T>*;

  static Index rows_of(Packed packed) { return packed->rows(); }
  static Index columns_of(Packed packed) { return packed->columns(); }
  static void multiply(const LeftFactor<T>& A, Index rows, Packed packed, const Addend<T>& addend,
                       const ProductRows<T>& C) {
    attn::parallel_multiply<T>(A, rows, *packed, addend, C);
  }
  template <class Stored>
  static Index rows_of(const Stored& stored) {
    return stored.W.columns();
  }
  template <class Stored>
  static Index columns_of(const Stored& stored) {
    return stored.rows.size();
  }
  template <class Stored>
  static void multiply(const LeftFactor<T>& A, Index rows, const Stored& stored,
                       const Addend<T>& addend, const ProductRows<T>& C) {
    attn::parallel_multiply<T>(A, rows, stored, addend, C);
  }

  std::variant<Packed, StoredRowsOf, IntegerRowsOf> factor_;
};

}  // namespace ATTN_ABI
}  // namespace attn
