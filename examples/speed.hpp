#pragma once

#include <attn/attn.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

/// Prints which instruction set the kernels use, and how long attention takes beside the same
/// equation in plain Eigen, on one thread each: the shortest of five runs, taken in turn.
inline void print_speed() {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const attn::Index L = 1024, E = 64;
  attn::Random random{1};
  attn::Tensor<float, 2> q({L, E}), k({L, E}), v({L, E});
  for (auto* x : {&q, &k, &v}) random.normal(*x);
  const Matrix Q = q.matrix(), K = k.matrix(), V = v.matrix();
  const attn::ScaledDotProductAttention attend;
  Matrix O(L, E);
  const auto plain = [&] {
    Matrix S = Q * K.transpose() / std::sqrt(static_cast<float>(E));
    const Eigen::VectorXf m = S.rowwise().maxCoeff();
    S = (S.colwise() - m).array().exp();
    O.noalias() = S * V;
    O.array().colwise() /= S.rowwise().sum().array();
  };
  const auto milliseconds = [](auto&& run) {
    const auto start = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  attn::set_num_threads(1);
  double ours = 1e9, eigens = 1e9;
  for (int i = 0; i < 5; ++i) {
    ours = std::min(ours, milliseconds([&] { attend.into(O, Q, K, V); }));
    eigens = std::min(eigens, milliseconds(plain));
  }
  attn::set_executor(attn::Pool{});
  std::cout << "instruction set of the kernels: " << to_string(attn::instruction_set()) << '\n';
  std::printf("attention of one head, L = %d, E = %d: %.2f ms, in plain Eigen %.2f ms\n",
              static_cast<int>(L), static_cast<int>(E), ours, eigens);
}
