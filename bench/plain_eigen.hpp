#pragma once

#include <attn/core/tensor.hpp>
#include <cmath>

/// Attention as a user would write it with Eigen alone, head by head, with all L×S scores in
/// memory.
template <class T>
void plain_eigen(const attn::Tensor<T, 4>& q, const attn::Tensor<T, 4>& k,
                 const attn::Tensor<T, 4>& v, attn::Tensor<T, 4>& o) {
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> P;
  for (attn::Index b = 0; b < q.shape()[0]; ++b)
    for (attn::Index h = 0; h < q.shape()[1]; ++h) {
      P.noalias() = q.matrix(b, h) * k.matrix(b, h).transpose() / std::sqrt(T(q.shape()[3]));
      P = (P.colwise() - P.rowwise().maxCoeff()).array().exp();
      P.array().colwise() /= P.rowwise().sum().array();
      o.matrix(b, h).noalias() = P * v.matrix(b, h);
    }
}
