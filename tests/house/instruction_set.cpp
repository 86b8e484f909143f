// Prints the instruction set of the kernels, and fails if what they compute is not, up to rounding,
// what double precision gives.
#include <attn/attn.hpp>

#include <exception>
#include <iostream>

int main() try {
  const attn::Index L = 50, E = 33;
  attn::Random random{1};
  attn::Tensor<double, 2> q({L, E}), k({L, E}), v({L, E});
  for (auto* x : {&q, &k, &v}) random.normal(*x);
  const auto single = [](const attn::Tensor<double, 2>& x) {
    attn::Tensor<float, 2> y({x.shape()[0], x.shape()[1]});
    y.flat() = x.flat().cast<float>();
    return y;
  };
  const attn::Causal rule;
  const auto exact = attn::ScaledDotProductAttention<attn::Reference>{}(q, k, v, rule);
  const auto got = attn::ScaledDotProductAttention{}(single(q), single(k), single(v), rule);
  std::cout << to_string(attn::instruction_set()) << '\n';
  return (got.flat().cast<double>() - exact.flat()).cwiseAbs().maxCoeff() < 1e-5 ? 0 : 1;
} catch (const std::exception& error) {
  std::cout << error.what() << '\n';
  return 2;
}
