#pragma once

#include <attn/attn.hpp>
#include <cmath>
#include <functional>
#include <limits>

/// The equations of "Attention Is All You Need" as the paper writes them, one head and one matrix
/// product after another, in double. Of the library they use the tensors and the parameters alone.
namespace paper {

using attn::Index, attn::Tensor;
using Matrix = Eigen::MatrixXd;

/// Whether query i of batch item b may attend to key j.
using Mask = std::function<bool(Index b, Index i, Index j)>;
inline bool no_mask(Index, Index, Index) { return true; }
inline bool causal(Index, Index i, Index j) { return j <= i; }

struct Head {
  Matrix output, weights;
};

/// Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V   [Vaswani17 Eq.1]
/// A query that may attend to no key has output 0 and weights 0.
/// Numerics: the exponentials do not overflow for scores of a few hundred, far more than here.
inline Head attention(const Matrix& Q, const Matrix& K, const Matrix& V, const Mask& mask,
                      Index b) {
  const Matrix scores = Q * K.transpose() / std::sqrt(static_cast<double>(Q.cols()));
  Matrix weights = Matrix::Zero(Q.rows(), K.rows());
  for (Index i = 0; i < Q.rows(); ++i) {
    for (Index j = 0; j < K.rows(); ++j)
      if (mask(b, i, j)) weights(i, j) = std::exp(scores(i, j));
    const double sum = weights.row(i).sum();
    if (sum > 0) weights.row(i) /= sum;
  }
  return {weights * V, weights};
}

template <int N>
struct Attention {
  Tensor<double, N> output;
  Tensor<double, 4> weights;
};

/// Equation 1 for each head of each batch item: query (B, H, L, E), key (B, G, S, E) and value
/// (B, G, S, Ev). Query head h reads key head h·G/H   [Ainslie23]
template <class T>
Attention<4> attention(const Tensor<T, 4>& query, const Tensor<T, 4>& key,
                       const Tensor<T, 4>& value, const Mask& mask = no_mask) {
  const auto [B, H, L, E] = query.shape();
  const Index G = key.shape()[1], S = key.shape()[2];
  Attention<4> all{Tensor<double, 4>({B, H, L, value.shape()[3]}), Tensor<double, 4>({B, H, L, S})};
  for (Index b = 0; b < B; ++b)
    for (Index h = 0; h < H; ++h) {
      const Index g = h * G / H;
      const Head head = attention(query.matrix(b, h).template cast<double>(),
                                  key.matrix(b, g).template cast<double>(),
                                  value.matrix(b, g).template cast<double>(), mask, b);
      all.output.matrix(b, h) = head.output;
      all.weights.matrix(b, h) = head.weights;
    }
  return all;
}

/// x Wᵀ + b, where `part` of three equal parts of the rows of W and of the elements of b is used.
template <class T>
Matrix project(const Matrix& x, const attn::MultiHeadAttention<T>& layer, Index part) {
  const Index D = layer.in_proj_weight->value().shape()[0] / 3;
  const Matrix W = layer.in_proj_weight->value().matrix().template cast<double>();
  const Eigen::VectorXd b = layer.in_proj_bias->value().flat().template cast<double>();
  return (x * W.middleRows(part * D, D).transpose()).rowwise() + b.segment(part * D, D).transpose();
}

/// MultiHead(Q, K, V) = Concat(head_1, …, head_h) W^O   [Vaswani17 §3.2.2]
/// where head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V), for query (B, L, D) and a memory (B, S, D)
/// that is both key and value.
template <class T>
Attention<3> multi_head(const attn::MultiHeadAttention<T>& layer, const Tensor<T, 3>& query,
                        const Tensor<T, 3>& memory, const Mask& mask = no_mask) {
  const auto [B, L, D] = query.shape();
  const Index H = layer.options.num_heads, E = D / H;
  const Matrix W_O = layer.out_proj.weight.value().matrix().template cast<double>();
  const Eigen::VectorXd b_O = layer.out_proj.bias->value().flat().template cast<double>();
  Attention<3> all{Tensor<double, 3>({B, L, D}), Tensor<double, 4>({B, H, L, memory.shape()[1]})};
  for (Index b = 0; b < B; ++b) {
    const Matrix x = query.matrix(b).template cast<double>();
    const Matrix y = memory.matrix(b).template cast<double>();
    const Matrix Q = project(x, layer, 0), K = project(y, layer, 1), V = project(y, layer, 2);
    Matrix concatenated(L, D);
    for (Index h = 0; h < H; ++h) {
      const Head head = attention(Q.middleCols(h * E, E), K.middleCols(h * E, E),
                                  V.middleCols(h * E, E), mask, b);
      concatenated.middleCols(h * E, E) = head.output;
      all.weights.matrix(b, h) = head.weights;
    }
    all.output.matrix(b) = (concatenated * W_O.transpose()).rowwise() + b_O.transpose();
  }
  return all;
}

}  // namespace paper

/// The largest difference between two tensors of equal shape; infinite if the shapes differ, or if
/// one has a NaN where the other has not.
template <class T, class U, int N>
double largest_difference(const attn::Tensor<T, N>& a, const attn::Tensor<U, N>& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (attn::Index i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
    const double difference = x == y ? 0 : std::abs(x - y);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}
