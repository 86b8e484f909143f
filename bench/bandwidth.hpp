#pragma once

#include "peak.hpp"

/// The sum of `count` elements, whose memory is read once, as fast as a core can.
[[gnu::noinline]] inline float sum_of(const float* x, attn::Index count) {
  using Vector = attn::simd::Vector<float>;
  attn::simd::Array<Vector, 8> sums;
#pragma GCC unroll 16
  for (int i = 0; i < 8; ++i) sums[i] = 0.0F;
  for (attn::Index j = 0; j + 8 * Vector::size <= count; j += 8 * Vector::size)
#pragma GCC unroll 16
    for (int i = 0; i < 8; ++i) sums[i] += attn::simd::load<Vector>(x + j + i * Vector::size);
#pragma GCC unroll 16
  for (int i = 1; i < 8; ++i) sums[0] += sums[i];
  return sums[0].first();
}

/// GB/s at which the threads in use read memory that no cache holds, in huge pages where the system
/// gives them.
inline double read_bandwidth() {
  static const attn::Tensor<float, 1> memory({attn::Index{1} << 25});
  constexpr attn::Index parts = 32;
  const attn::Index part = memory.size() / parts;
  const double time = seconds([&] {
    attn::parallel_for(parts, [&](attn::Index i) {
      float sum = sum_of(memory.data() + i * part, part);
      benchmark::DoNotOptimize(sum);
    });
  });
  return 4e-9 * double(memory.size()) / time;
}

/// Times `call`, which reads so many bytes, on state.range(0) threads; short calls follow each
/// other until 16 MB are read, as in decoding. Reports, besides the time of a call, the median
/// GB/s and the median percentage of the read bandwidth, which is measured again beside them.
template <class F>
void against_bandwidth(benchmark::State& state, double bytes, F&& call) {
  attn::set_num_threads(state.range(0));
  call();
  const int calls = std::max(1, int(16e6 / bytes));
  const auto several_calls = [&] {
    for (int n = 0; n < calls; ++n) call();
  };
  std::vector<double> speeds, percentages;
  for (auto _ : state) {
    const double bandwidth = read_bandwidth(), time = seconds(several_calls) / calls;
    state.SetIterationTime(time);
    speeds.push_back(bytes / time * 1e-9);
    percentages.push_back(100 * speeds.back() / bandwidth);
  }
  state.counters["GB/s"] = median(speeds);
  state.counters["%bandwidth"] = median(percentages);
  attn::set_executor(attn::Pool{});
}
