// Scaled dot-product attention on one thread: time, GFLOP/s (2·B·H·L·S·(E + Ev), half of it under a
// causal rule; of the backward pass 2·B·H·L·S·(3·E + 2·Ev)) and the percentage of the core's peak.
// `cmake --workflow --preset bench` runs it; --benchmark_filter=tiled runs some.
#include <attn/attn.hpp>

#include <fstream>
#include <string>

#include "peak.hpp"
#include "plain_eigen.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
struct Operands {
  Tensor<T, 4> q, k, v, o;
  Operands(Index B, Index L, Index S, Index E)
      : q({B, 8, L, E}), k({B, 8, S, E}), v({B, 8, S, E}), o({B, 8, L, E}) {
    attn::Random random{1};
    random.normal(q);
    random.normal(k);
    random.normal(v);
  }
  double flop() const { return 4 * double(q.size()) * double(k.shape()[2]); }
};

template <class T, class Kernel = attn::Tiled, class R = attn::NoMask>
void run_forward(benchmark::State& state, const R& rule = {}, double part = 1) {
  Operands<T> x(state.range(0), state.range(1), state.range(2), state.range(3));
  const attn::ScaledDotProductAttention<Kernel> attention;
  against_peak<T>(state, part * x.flop(), [&] { attention.into(x.o, x.q, x.k, x.v, rule); });
}

/// dQ, dK and dV of an output that was computed before.
template <class T, class R = attn::NoMask>
void run_backward(benchmark::State& state, const R& rule = {}, double part = 1) {
  const Operands<T> x(state.range(0), state.range(1), state.range(2), state.range(3));
  const attn::ScaledDotProductAttention attention;
  const auto forward = attention.with_log_sum_exp(x.q, x.k, x.v, rule);
  Tensor<T, 4> dq(x.q.shape()), dk(x.k.shape()), dv(x.v.shape());
  against_peak<T>(state, 2.5 * part * x.flop(), [&] {
    attention.backward(attn::AttentionInputs<T>{x.q, x.k, x.v},
                       {forward.output, forward.log_sum_exp, x.q}, rule, {dq, dk, dv});
  });
}
void backward(benchmark::State& state) { run_backward<float>(state); }
void backward_causal(benchmark::State& state) { run_backward<float>(state, attn::Causal{}, 0.5); }
void backward_double(benchmark::State& state) { run_backward<double>(state); }

void tiled(benchmark::State& state) { run_forward<float>(state); }
void tiled_causal(benchmark::State& state) { run_forward<float>(state, attn::Causal{}, 0.5); }
void tiled_double(benchmark::State& state) { run_forward<double>(state); }
void reference(benchmark::State& state) { run_forward<float, attn::Reference>(state); }
/// Plain Eigen, with all L×S scores in memory.
void scores_in_memory(benchmark::State& state) {
  Operands<float> x(state.range(0), state.range(1), state.range(2), state.range(3));
  against_peak<float>(state, x.flop(), [&] { plain_eigen(x.q, x.k, x.v, x.o); });
}

/// A rule of a user's, asked element by element, and the same formula in the form that is asked for
/// a vector of queries.
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
void softcap(benchmark::State& state) { run_forward<float>(state, attn::Softcap{5}); }
void own_rule(benchmark::State& state) { run_forward<float>(state, Recency{0.25}); }
void own_rule_of_vectors(benchmark::State& state) {
  run_forward<float>(state, RecencyOfVectors{0.25});
}

/// Eight sequences of 32 to 512 tokens, 2,558 in all, under a causal rule: side by side, and as a
/// padded batch. Both are credited with the operations of the sequences alone.
struct EightSequences {
  static constexpr Index H = 8, E = 64;
  std::vector<Index> offsets{0}, lengths;
  double flop = 0;

  EightSequences() {
    attn::Random random{8};
    for (int n = 0; n < 8; ++n) {
      lengths.push_back(32 + random.index(481));
      offsets.push_back(offsets.back() + lengths.back());
      flop += 2 * double(H * E) * double(lengths.back() * lengths.back());
    }
  }
  /// q, k, v and dO, H heads.
  std::vector<Tensor<float, 4>> operands(Index B, Index L) const {
    std::vector<Tensor<float, 4>> x(4, Tensor<float, 4>({B, H, L, E}));
    attn::Random random{1};
    for (auto& one : x) random.normal(one);
    return x;
  }
  template <class R>
  void run(benchmark::State& state, Index B, Index L, const R& rule) const {
    const auto x = operands(B, L);
    const attn::ScaledDotProductAttention attention;
    Tensor<float, 4> o(x[0].shape());
    against_peak<float>(state, flop, [&] { attention.into(o, x[0], x[1], x[2], rule); });
  }
  template <class R>
  void run_backward(benchmark::State& state, Index B, Index L, const R& rule) const {
    const auto x = operands(B, L);
    const attn::ScaledDotProductAttention attention;
    const auto forward = attention.with_log_sum_exp(x[0], x[1], x[2], rule);
    Tensor<float, 4> dq(x[0].shape()), dk(x[0].shape()), dv(x[0].shape());
    against_peak<float>(state, 2.5 * flop, [&] {
      attention.backward(attn::AttentionInputs<float>{x[0], x[1], x[2]},
                         {forward.output, forward.log_sum_exp, x[3]}, rule, {dq, dk, dv});
    });
  }
};
void packed(benchmark::State& state) {
  const EightSequences x;
  x.run(state, 1, x.offsets.back(), attn::Packed{x.offsets, attn::Causal{}});
}
void padded(benchmark::State& state) {
  const EightSequences x;
  x.run(state, 8, std::ranges::max(x.lengths), attn::Causal{} & attn::Padding{x.lengths});
}
void packed_backward(benchmark::State& state) {
  const EightSequences x;
  x.run_backward(state, 1, x.offsets.back(), attn::Packed{x.offsets, attn::Causal{}});
}
void padded_backward(benchmark::State& state) {
  const EightSequences x;
  x.run_backward(state, 8, std::ranges::max(x.lengths), attn::Causal{} & attn::Padding{x.lengths});
}

/// Two threads against one, alternating: the median of one thread's time over two threads'.
void two_threads(benchmark::State& state) {
  const Operands<float> x(state.range(0), state.range(1), state.range(2), state.range(3));
  Tensor<float, 4> o(x.q.shape());
  const bool causal = state.range(4) != 0;
  const attn::ScaledDotProductAttention attention;
  const auto with_threads = [&](Index threads) {
    attn::set_num_threads(threads);
    const auto call = [&] {
      if (causal) attention.into(o, x.q, x.k, x.v, attn::Causal{});
      else attention.into(o, x.q, x.k, x.v);
    };
    call();
    return seconds(call);
  };
  std::vector<double> ratios;
  for (auto _ : state) {
    const double one = with_threads(1), two = with_threads(2);
    state.SetIterationTime(two);
    ratios.push_back(one / two);
  }
  state.counters["one/two"] = median(ratios);
  attn::set_executor(attn::Pool{});
}

/// Resident memory in MiB: the current size (VmRSS), or the peak since the last reset (VmHWM); 0
/// where the system does not report it.
double resident(const std::string& which) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(which)) return std::stod(line.substr(which.size() + 1)) / 1024;
  return 0;
}

/// 40,000 tokens, one head of dimension 32, causal: memory beyond the inputs, the output included.
/// (All scores would be 6.4 GB.)
void long_sequence(benchmark::State& state) {
  const Index L = 40000, E = 32;
  attn::Random random{1};
  Tensor<float, 4> q({1, 1, L, E}), k({1, 1, L, E}), v({1, 1, L, E});
  random.normal(q);
  random.normal(k);
  random.normal(v);
  std::ofstream("/proc/self/clear_refs") << 5;  // resets the peak
  const double before = resident("VmRSS:");
  const attn::ScaledDotProductAttention attention;
  for (auto _ : state)
    state.SetIterationTime(
        seconds([&] { benchmark::DoNotOptimize(attention(q, k, v, attn::Causal{}).data()); }));
  state.counters["MiB"] = resident("VmHWM:") - before;
}

/// 20,000 tokens, one head of dimension 64, forward and backward: memory beyond the inputs and the
/// gradients. (All scores would be 1.6 GB.)
void long_sequence_with_backward(benchmark::State& state) {
  const Index L = 20000, E = 64;
  attn::Random random{1};
  Tensor<float, 4> q({1, 1, L, E}), k({1, 1, L, E}), v({1, 1, L, E}), d({1, 1, L, E}),
      dq({1, 1, L, E}), dk({1, 1, L, E}), dv({1, 1, L, E});
  for (auto* x : {&q, &k, &v, &d, &dq, &dk, &dv}) random.normal(*x);
  std::ofstream("/proc/self/clear_refs") << 5;
  const double before = resident("VmRSS:");
  const attn::ScaledDotProductAttention attention;
  for (auto _ : state)
    state.SetIterationTime(seconds([&] {
      const auto forward = attention.with_log_sum_exp(q, k, v);
      attention.backward(attn::AttentionInputs<float>{q, k, v},
                         {forward.output, forward.log_sum_exp, d}, attn::NoMask{}, {dq, dk, dv});
    }));
  state.counters["MiB"] = resident("VmHWM:") - before;
}

// Always 8 heads.
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
  b->ArgNames({"B", "L", "S", "E"});
}
void one_shape(benchmark::internal::Benchmark* b) {
  b->Args({1, 1024, 1024, 64})->ArgNames({"B", "L", "S", "E"});
}
void measured(benchmark::internal::Benchmark* b) {
  b->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.6);
}

BENCHMARK(tiled)->Apply(shapes)->Apply(measured);
BENCHMARK(tiled_causal)
    ->Args({1, 1024, 1024, 64})
    ->Args({1, 2048, 2048, 64})
    ->Args({1, 4096, 4096, 64})
    ->ArgNames({"B", "L", "S", "E"})
    ->Apply(measured);
BENCHMARK(backward)->Apply(shapes)->Apply(measured);
BENCHMARK(backward_causal)
    ->Args({1, 1024, 1024, 64})
    ->Args({1, 4096, 4096, 64})
    ->ArgNames({"B", "L", "S", "E"})
    ->Apply(measured);
BENCHMARK(backward_double)->Apply(one_shape)->Apply(measured);
BENCHMARK(tiled_double)->Apply(one_shape)->Apply(measured);
BENCHMARK(scores_in_memory)->Apply(shapes)->Apply(measured);
BENCHMARK(reference)
    ->Args({1, 512, 512, 64})
    ->Args({1, 1024, 1024, 64})
    ->ArgNames({"B", "L", "S", "E"})
    ->Apply(measured);
BENCHMARK(packed)->Apply(measured);
BENCHMARK(padded)->Apply(measured);
BENCHMARK(packed_backward)->Apply(measured);
BENCHMARK(padded_backward)->Apply(measured);
BENCHMARK(two_threads)
    ->Args({1, 1024, 1024, 64, 0})
    ->Args({1, 1024, 1024, 64, 1})
    ->Args({1, 4096, 4096, 64, 1})
    ->Args({8, 128, 128, 64, 0})
    ->ArgNames({"B", "L", "S", "E", "causal"})
    ->Apply(measured);
BENCHMARK(long_sequence)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(long_sequence_with_backward)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(softcap)->Apply(one_shape)->Apply(measured);
BENCHMARK(own_rule)->Apply(one_shape)->Apply(measured);
BENCHMARK(own_rule_of_vectors)->Apply(one_shape)->Apply(measured);

}  // namespace

BENCHMARK_MAIN();
