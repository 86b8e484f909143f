#pragma once

#include <attn/gemm/stored_product.hpp>
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

  /// Those of Wᵀ: in and out.
  Index rows() const {
    if (const auto* stored = std::get_if<StoredRowsOf>(&factor_)) return stored->W.columns();
    return std::get<const PackedMatrix<T>*>(factor_)->rows();
  }
  Index columns() const {
    if (const auto* stored = std::get_if<StoredRowsOf>(&factor_)) return stored->rows.size();
    return std::get<const PackedMatrix<T>*>(factor_)->columns();
  }

  /// C = addend + A Wᵀ, in parallel.
  void parallel_multiply(const LeftFactor<T>& A, Index rows, const Addend<T>& addend,
                         const ProductRows<T>& C) const {
    if (const auto* stored = std::get_if<StoredRowsOf>(&factor_))
      attn::parallel_multiply<T>(A, rows, *stored, addend, C);
    else attn::parallel_multiply<T>(A, rows, *std::get<const PackedMatrix<T>*>(factor_), addend, C);
  }

 private:
  std::variant<const PackedMatrix<T>*, StoredRowsOf> factor_;
};

}  // namespace ATTN_ABI
}  // namespace attn
