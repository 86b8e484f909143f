// The functors, in time and GFLOP/s: 4·B·H·L·S·E for attention. `cmake --workflow --preset bench` runs it.
#include <attn/attn.hpp>
#include <benchmark/benchmark.h>

namespace {

using attn::Index, attn::Tensor;

template <class T>
struct Operands {
  Tensor<T, 4> q, k, v;
  Operands(Index B, Index H, Index L, Index E) : q({B, H, L, E}), k({B, H, L, E}), v({B, H, L, E}) {
    attn::Random random{1};
    random.normal(q), random.normal(k), random.normal(v);
  }
  double flop() const { return 4.0 * double(q.size()) * double(k.shape()[2]); }
};

void report(benchmark::State& state, double flop) { state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsIterationInvariantRate); }

template <class T>
void scaled_dot_product(benchmark::State& state) {
  const Operands<T> x(state.range(0), 8, state.range(1), state.range(2));
  const attn::ScaledDotProductAttention attend;
  for (auto _ : state) benchmark::DoNotOptimize(attend(x.q, x.k, x.v));
  report(state, x.flop());
}

/// What a user would write with Eigen alone, head by head.
template <class T>
void plain_eigen(benchmark::State& state) {
  const Operands<T> x(state.range(0), 8, state.range(1), state.range(2));
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Matrix P;
  for (auto _ : state) {
    Tensor<T, 4> o(x.q.shape());
    for (Index b = 0; b < o.shape()[0]; ++b)
      for (Index h = 0; h < o.shape()[1]; ++h) {
        P.noalias() = x.q.matrix(b, h) * x.k.matrix(b, h).transpose() / std::sqrt(T(x.q.shape()[3]));
        P = (P.colwise() - P.rowwise().maxCoeff()).array().exp();
        P.array().colwise() /= P.rowwise().sum().array();
        o.matrix(b, h).noalias() = P * x.v.matrix(b, h);
      }
    benchmark::DoNotOptimize(o.data());
  }
  report(state, x.flop());
}

void multi_head(benchmark::State& state) {
  const Index B = state.range(0), L = state.range(1), D = 512;
  attn::Random random{1};
  const attn::MultiHeadAttention<float> layer({.embed_dim = D, .num_heads = 8}, random);
  Tensor<float, 3> x({B, L, D});
  random.normal(x);
  for (auto _ : state) benchmark::DoNotOptimize(layer(x, x, x));
  report(state, double(B * L) * (8.0 * double(D) * double(D) + 4.0 * double(L) * double(D)));
}

const std::vector<std::vector<std::int64_t>> shapes{{1, 8}, {128, 512}, {64}};  // batch, length, head size
BENCHMARK(scaled_dot_product<float>)->ArgsProduct(shapes)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plain_eigen<float>)->ArgsProduct(shapes)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(scaled_dot_product<double>)->Args({1, 128, 64})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(multi_head)->Args({1, 128})->Args({8, 128})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
