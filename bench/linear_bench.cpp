// x Wᵀ + b on one thread: time, GFLOP/s (2·rows·in·out) and the percentage of the core's
// peak, beside Eigen's product.
#include <attn/attn.hpp>

#include "peak.hpp"

namespace {

using attn::Index, attn::Tensor;

struct Layer {
  attn::Random random{1};
  attn::Linear<float> linear;
  Tensor<float, 2> x, y;
  Layer(Index rows, Index in, Index out)
      : linear({.in_features = in, .out_features = out}, random), x({rows, in}), y({rows, out}) {
    random.normal(x);
  }
  double flop() const { return 2 * double(x.size()) * double(y.shape()[1]); }
};

void linear(benchmark::State& state) {
  Layer layer(state.range(0), state.range(1), state.range(2));
  against_peak<float>(state, layer.flop(), [&] { layer.y = layer.linear(layer.x); });
}
void eigen_product(benchmark::State& state) {
  Layer layer(state.range(0), state.range(1), state.range(2));
  against_peak<float>(state, layer.flop(), [&] {
    layer.y.matrix().noalias() =
        layer.x.matrix() * layer.linear.weight.value().matrix().transpose();
    layer.y.matrix().rowwise() += layer.linear.bias->value().flat().transpose();
  });
}

void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& [rows, in, out] : std::vector<std::array<Index, 3>>{{4096, 512, 512},
                                                                       {4096, 512, 2048},
                                                                       {1024, 2048, 512},
                                                                       {128, 512, 512},
                                                                       {128, 512, 2048},
                                                                       {1, 512, 2048}})
    b->Args({rows, in, out});
  b->ArgNames({"rows", "in", "out"});
  b->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.6);
}
BENCHMARK(linear)->Apply(shapes);
BENCHMARK(eigen_product)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
