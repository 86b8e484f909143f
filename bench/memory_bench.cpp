// What decoding reads: keys and values for one query of each head, and weights for one row. Each
// benchmark gives its share of the read bandwidth, which is measured in the same process beside
// each call, with as many threads.
#include <attn/attn.hpp>

#include "bandwidth.hpp"

namespace {

using attn::Index, attn::Storage, attn::Tensor;

struct Heads {
  Index H, G, S, E, L;
};

/// As many tensors as do not fit a cache together, used one after the other.
template <class X>
class Rotation {
 public:
  Rotation(const X& x, double bytes) {
    for (double all = 0; all < 150e6; all += bytes) copies_.push_back(x);
  }
  const X& next() { return copies_[at_++ % copies_.size()]; }

 private:
  std::vector<X> copies_;
  std::size_t at_ = 0;
};

/// Attention to the keys and values of a KV cache, as a layer asks for it.
void attention(benchmark::State& state, const Heads& of, std::optional<Storage> storage) {
  attn::Random random{1};
  Tensor<float, 4> q({1, of.H, of.L, of.E}), o(q.shape());
  Tensor<float, 3> k({1, of.S, of.G * of.E}), v(k.shape());
  random.uniform(q);
  random.uniform(k);
  random.uniform(v);
  attn::KeyValueCache<float> cache({1, of.S}, {of.G, of.E, of.E}, {.storage = storage});
  cache.append(k.view(), v.view());
  double bytes = 2 * double(k.size()) * 4;
  if (storage) bytes /= storage == Storage::int8 ? 4 : 2;
  Rotation<attn::KeyValueCache<float>> caches(cache, bytes);
  const attn::ScaledDotProductAttention attend;
  against_bandwidth(state, bytes, [&] {
    const attn::KeyValueCache<float>& one = caches.next();
    attend.forward(attn::AttentionInputs{attn::TensorView<const float, 4>(q), one.keys({0, 1}),
                                         one.values({0, 1})},
                   {o.view()}, attn::NoMask{}, {});
  });
}

/// As what weights are stored, and whether activations are rounded to int8.
struct Weights {
  std::optional<Storage> storage;
  bool rounds_activations = false;
};

void linear(benchmark::State& state, const Weights& weights) {
  const auto& storage = weights.storage;
  const Index in = 2048, out = 16384;
  attn::Random random{1};
  attn::Linear<float> layer({.in_features = in, .out_features = out, .bias = false}, random);
  double bits = 32;
  if (storage) {
    const auto stored = attn::round_weight<float>(layer.weight.value().view(), *storage);
    bits = 8 * double(stored.size()) / double(in * out);
    layer.store_weights(*storage);
  }
  if (weights.rounds_activations) layer.round_activations(Storage::int8);
  Tensor<float, 2> x({1, in}), y({1, out});
  random.uniform(x);
  against_bandwidth(state, bits / 8 * double(in * out), [&] { layer.into(y, x); });
}

const Heads shapes[] = {
    {32, 8, 4096, 128, 1}, {9, 3, 4096, 64, 1},   {8, 8, 16384, 64, 1},
    {32, 1, 8192, 64, 1},  {32, 8, 4096, 128, 4}, {8, 8, 16384, 64, 4},
};
const std::optional<Storage> of_keys[] = {std::nullopt, Storage::bfloat16, Storage::int8};
const Weights of_weights[] = {{},
                              {Storage::bfloat16},
                              {Storage::float16},
                              {Storage::int8},
                              {Storage::int8, true},
                              {Storage::int4},
                              {Storage::int4, true}};

std::string name(std::optional<Storage> storage) { return storage ? to_string(*storage) : "float"; }

void register_all() {
  const auto configured = [](benchmark::internal::Benchmark* b) {
    b->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.3);
    b->ArgName("threads")->Arg(1)->Arg(attn::num_threads());
  };
  for (const Heads& of : shapes)
    for (const auto& storage : of_keys) {
      const std::string shape = "H" + std::to_string(of.H) + " G" + std::to_string(of.G) + " L" +
                                std::to_string(of.L) + " S" + std::to_string(of.S) + " E" +
                                std::to_string(of.E);
      const auto run = [of, storage](benchmark::State& state) { attention(state, of, storage); };
      configured(
          benchmark::RegisterBenchmark(("attention " + shape + " " + name(storage)).c_str(), run));
    }
  for (const Weights& weights : of_weights) {
    const auto run = [weights](benchmark::State& state) { linear(state, weights); };
    const char* const rounded = weights.rounds_activations ? ", int8 activations" : "";
    configured(
        benchmark::RegisterBenchmark(("linear " + name(weights.storage) + rounded).c_str(), run));
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
