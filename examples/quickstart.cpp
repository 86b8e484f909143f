// Attention in three sizes: a head in Eigen, a batch of heads with a mask, a layer and its weights.
#include <attn/attn.hpp>
#include <cstdio>

int main() {
  using attn::Index, attn::Tensor;
  const attn::ScaledDotProductAttention attend;

  // One head: softmax(Q Kᵀ / √16) V, 6×8.
  const Eigen::MatrixXf Q = Eigen::MatrixXf::Random(6, 16);
  const Eigen::MatrixXf K = Eigen::MatrixXf::Random(9, 16);
  const Eigen::MatrixXf V = Eigen::MatrixXf::Random(9, 8);
  const Eigen::MatrixXf O = attend(Q, K, V);
  std::printf("one head: %td×%td\n", O.rows(), O.cols());

  // A batch of 2 sequences with 8 heads each, (B, H, L, E). Each query attends to the keys up to
  // its own position, and the second sequence ends after 100 tokens.
  attn::Random random{7};
  Tensor<float, 4> q({2, 8, 128, 64}), k({2, 8, 128, 64}), v({2, 8, 128, 64});
  for (Tensor<float, 4>* x : {&q, &k, &v}) random.normal(*x);
  const Tensor<float, 4> o = attend(q, k, v, attn::Causal{} & attn::Padding{{128, 100}});
  std::printf("a batch: %s\n", attn::to_string(o.shape()).c_str());

  // A layer with parameters, as PyTorch's torch.nn.MultiheadAttention, and its weights (B, H, L,
  // L).
  const attn::SelfAttention<float> layer({.embed_dim = 64, .num_heads = 4}, random);
  Tensor<float, 3> x({1, 7, 64});
  random.normal(x);
  const auto [y, weights] = layer.with_weights(x, attn::Causal{});
  std::printf("a layer: %s; head 3 of token 2 attends to token 1 by %.2f\n",
              attn::to_string(y.shape()).c_str(), static_cast<double>(weights(0, 2, 1, 0)));
}
