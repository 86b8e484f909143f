// Scaled dot-product attention on one thread: time, GFLOP/s (2·B·H·L·S·(E + Ev), half of it under a causal rule) and the share of what
// the core can do. `cmake --workflow --preset bench` runs it; --benchmark_filter=tiled runs some.
#include <attn/attn.hpp>

#include "peak.hpp"
#include "plain_eigen.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
struct Operands {
  Tensor<T, 4> q, k, v, o;
  Operands(Index B, Index L, Index S, Index E) : q({B, 8, L, E}), k({B, 8, S, E}), v({B, 8, S, E}), o({B, 8, L, E}) {
    attn::Random random{1};
    random.normal(q), random.normal(k), random.normal(v);
  }
  double flop() const { return 4 * double(q.size()) * double(k.shape()[2]); }
};

template <class T, class Kernel = attn::Tiled, class R = attn::NoMask>
void attend(benchmark::State& state, const R& rule = {}, double part = 1) {
  Operands<T> x(state.range(0), state.range(1), state.range(2), state.range(3));
  const attn::ScaledDotProductAttention<Kernel> attention;
  against_peak<T>(state, part * x.flop(), [&] { attention.into(x.o, x.q, x.k, x.v, rule); });
}

void tiled(benchmark::State& state) { attend<float>(state); }
void tiled_causal(benchmark::State& state) { attend<float>(state, attn::Causal{}, 0.5); }
void tiled_double(benchmark::State& state) { attend<double>(state); }
void reference(benchmark::State& state) { attend<float, attn::Reference>(state); }
void eigen(benchmark::State& state) {
  Operands<float> x(state.range(0), state.range(1), state.range(2), state.range(3));
  against_peak<float>(state, x.flop(), [&] { plain_eigen(x.q, x.k, x.v, x.o); });
}

/// A rule of a user's, asked element by element, and the same formula in the form that is asked for a vector of queries.
struct Recency {
  double rate;
  template <class T>
  T score(T s, attn::Position at) const {
    using std::tanh;
    return T(5) * tanh(s / T(5)) - T(rate * double(at.query - at.key));
  }
};
struct RecencyOfVectors {
  double rate;
  template <class T>
  T score(T s, const auto& at) const {
    using std::tanh;
    return T(5) * tanh(s / T(5)) - T(rate) * T(at.query - at.key);
  }
};
void softcap(benchmark::State& state) { attend<float>(state, attn::Softcap{5}); }
void own_rule(benchmark::State& state) { attend<float>(state, Recency{0.25}); }
void own_rule_of_vectors(benchmark::State& state) { attend<float>(state, RecencyOfVectors{0.25}); }

// batch, queries, keys, head size; always 8 heads
void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& [B, L, S, E] : std::vector<std::array<Index, 4>>{{1, 512, 512, 64},
                                                                    {1, 1024, 1024, 64},
                                                                    {1, 2048, 2048, 64},
                                                                    {1, 4096, 4096, 64},
                                                                    {8, 64, 64, 64},
                                                                    {8, 128, 128, 64},
                                                                    {1, 1024, 1024, 32},
                                                                    {1, 1024, 1024, 128},
                                                                    {1, 1023, 1021, 65}})
    b->Args({B, L, S, E});
}
void timed(benchmark::internal::Benchmark* b) { b->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.6); }

BENCHMARK(tiled)->Apply(shapes)->Apply(timed);
BENCHMARK(tiled_causal)->Args({1, 1024, 1024, 64})->Args({1, 2048, 2048, 64})->Args({1, 4096, 4096, 64})->Apply(timed);
BENCHMARK(tiled_double)->Args({1, 1024, 1024, 64})->Apply(timed);
BENCHMARK(eigen)->Apply(shapes)->Apply(timed);
BENCHMARK(reference)->Args({1, 512, 512, 64})->Args({1, 1024, 1024, 64})->Apply(timed);
BENCHMARK(softcap)->Args({1, 1024, 1024, 64})->Apply(timed);
BENCHMARK(own_rule)->Args({1, 1024, 1024, 64})->Apply(timed);
BENCHMARK(own_rule_of_vectors)->Args({1, 1024, 1024, 64})->Apply(timed);

}  // namespace

BENCHMARK_MAIN();
