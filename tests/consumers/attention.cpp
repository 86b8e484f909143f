// A program that only wants attention: no file, no picture.
#include <attn/attn.hpp>

#include <cstdio>

int main() {
  const Eigen::MatrixXd Q = Eigen::MatrixXd::Random(3, 4), K = Eigen::MatrixXd::Random(5, 4),
                        V = Eigen::MatrixXd::Random(5, 2);
  Eigen::MatrixXd P = (Q * K.transpose() / 2.0).array().exp();
  P.array().colwise() /= P.rowwise().sum().array();
  const double gap = (attn::ScaledDotProductAttention{}(Q, K, V) - P * V).cwiseAbs().maxCoeff();
  std::printf("attn %d.%d.%d is off by %g\n", ATTN_VERSION_MAJOR, ATTN_VERSION_MINOR,
              ATTN_VERSION_PATCH, gap);
  return gap < 1e-14 ? 0 : 1;
}
