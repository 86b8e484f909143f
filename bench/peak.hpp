#pragma once

#include <benchmark/benchmark.h>
#include <attn/parallel/executor.hpp>
#include <attn/simd/simd.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

/// Seconds that `call` takes.
template <class F>
double seconds(F&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// 12 independent sums in registers, `rounds` multiply-adds of each. A function of its own, or the
/// compiler keeps the sums in memory.
template <class T>
[[gnu::noinline]] void multiply_and_add(int rounds) {
  using Vector = attn::simd::Vector<T>;
  attn::simd::Array<Vector, 12> x;
#pragma GCC unroll 16
  for (int i = 0; i < 12; ++i) x[i] = T(i);
  Vector factor = T(0.999);
  for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < 12; ++i) x[i] = fma(x[i], factor, T(1));
    attn::simd::pin(factor);
  }
#pragma GCC unroll 16
  for (int i = 1; i < 12; ++i) x[0] += x[i];
  benchmark::DoNotOptimize(x[0].first());
}

/// GFLOP/s of one core that does nothing but multiply and add in registers: the better of three
/// times some 40 µs.
template <class T>
double fma_peak() {
  constexpr int rounds = 20000;
  double best = 0;
  for (int run = 0; run < 3; ++run)
    best = std::max(best, 24.0 * double(attn::simd::lanes<T>) * rounds /
                              seconds([] { multiply_and_add<T>(rounds); }) * 1e-9);
  return best;
}

template <class T>
T median(std::vector<T> values) {
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// Times `call`, of `flop` floating-point operations, on one thread. Reports, besides the time, the
/// median GFLOP/s and the median percentage of the peak, which is measured again beside each call,
/// because the clock of a shared machine changes from one moment to the next.
template <class T, class F>
void against_peak(benchmark::State& state, double flop, F&& call) {
  attn::set_num_threads(1);
  call();
  std::vector<double> speeds, percentages;
  for (auto _ : state) {
    const double peak = fma_peak<T>(), time = seconds(call);
    state.SetIterationTime(time);
    speeds.push_back(flop / time * 1e-9);
    percentages.push_back(100 * speeds.back() / peak);
  }
  state.counters["GFLOP/s"] = median(speeds);
  state.counters["%peak"] = median(percentages);
  attn::set_executor(attn::Pool{});
}
